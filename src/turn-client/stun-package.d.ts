/**
 * The parts of the npm package `stun` that `codec.ts` uses. They are imported by file: the package's entry also loads
 * its client, its server and their dependencies (URL parsing, debug), none of which our clients need.
 */
declare module "stun/src/node_modules/lib/create-message.js" {
  interface StunRequest {
    addAttribute(type: number, ...values: readonly unknown[]): unknown;
    toBuffer(): Buffer;
  }
  const createMessage: { createMessage(type: number, transactionId: Buffer): StunRequest };
  export default createMessage;
}

declare module "stun/src/node_modules/message/decode.js" {
  interface StunAttribute {
    readonly type: number;
    readonly value: unknown;
  }
  interface StunResponse extends Iterable<StunAttribute> {
    readonly type: number;
    readonly transactionId: Buffer;
  }
  export default function decode(message: Buffer): StunResponse;
}
