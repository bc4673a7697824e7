/** STUN messages as values: methods, classes, and attributes. */
import type { IntegrityKey } from "./integrity.ts";
import type { DropCode, RefusalCode } from "../reasons.ts";
import type { TransportAddress } from "../net/address.ts";
import { attribute, magicCookie } from "./attributes.ts";

/** RFC 8489 §18.2, RFC 8656 §17. */
export const method = {
  binding: 0x001,
  allocate: 0x003,
  refresh: 0x004,
  send: 0x006,
  data: 0x007,
  createPermission: 0x008,
  channelBind: 0x009,
  /** RFC 6062 §6.1. */
  connect: 0x00a,
  connectionBind: 0x00b,
  connectionAttempt: 0x00c,
} as const;

export type MessageClass = "request" | "indication" | "success" | "error";
export const classes: readonly MessageClass[] = ["request", "indication", "success", "error"];

/** RFC 8489 §5: the bits of the class are between those of the method. */
export const typeOf = (method: number, kind: MessageClass): number => {
  const bits = classes.indexOf(kind);
  return (method & 0xf) | ((method & 0x70) << 1) | ((method & 0xf80) << 2) | ((bits & 1) << 4) | ((bits & 2) << 7);
};

/** A STUN message. It does not include attributes after MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.5, §14.6). */
export interface Message {
  readonly bytes: Buffer;
  readonly method: number;
  readonly class: MessageClass;
  readonly transactionId: Buffer;
  /** Where MESSAGE-INTEGRITY starts. */
  readonly integrityAt?: number | undefined;
  /** Where MESSAGE-INTEGRITY-SHA256 starts. */
  readonly integritySha256At?: number | undefined;
  readonly hasFingerprint: boolean;
  /** Unknown comprehension-required attributes, RFC 8489 §6.3.1. */
  readonly unknown: readonly number[];
  readonly username?: string | undefined;
  readonly realm?: string | undefined;
  readonly nonce?: string | undefined;
  /** The password algorithm that the client uses, and those that it was offered. */
  readonly passwordAlgorithm?: Buffer | undefined;
  readonly passwordAlgorithms?: Buffer | undefined;
  /** Seconds. */
  readonly lifetime?: number | undefined;
  readonly peers: readonly TransportAddress[];
  readonly relayed: readonly TransportAddress[];
  readonly mapped?: TransportAddress | undefined;
  readonly data?: Buffer | undefined;
  readonly error?: { readonly code: number; readonly reason: string } | undefined;
  readonly channelNumber?: number | undefined;
  readonly connectionId?: number | undefined;
  readonly dontFragment?: boolean | undefined;
  /** The alternate server of a 300. */
  readonly alternateServer?: TransportAddress | undefined;
  /** IP protocol number. */
  readonly requestedTransport?: number | undefined;
  readonly requestedFamily?: number | undefined;
  readonly additionalFamily?: number | undefined;
  readonly addressError?: { readonly family: number; readonly code: number } | undefined;
  /** Flags: the answer is to be sent from another address (4) or port (2) of the server, RFC 5780 §7.2. */
  readonly changeRequest?: number | undefined;
  /** The port that the answer is to be sent to, RFC 5780 §7.5. */
  readonly responsePort?: number | undefined;
  /** The R bit of EVEN-PORT. */
  readonly evenPort?: boolean | undefined;
  readonly reservationToken?: Buffer | undefined;
  /** Empty in a request for a ticket, RFC 8016 §3.1.1. */
  readonly mobilityTicket?: Buffer | undefined;
}

/**
 * Input that is not a message. `reject` is a request with a valid header and malformed attributes: it may be answered with
 * 400.
 */
export type Undecodable =
  | { readonly kind: "drop"; readonly code: DropCode }
  | { readonly kind: "reject"; readonly code: RefusalCode; readonly method: number; readonly transactionId: Buffer };

/**
 * An attribute to write: a number has 32 bits, `code` is an error code, and `raw` is an attribute that the clients' codec
 * does not know.
 */
export type Attribute =
  | { readonly type: number; readonly value: string | number | Buffer | readonly number[] }
  | { readonly type: number; readonly address: TransportAddress }
  | { readonly type: number; readonly code: number }
  | { readonly type: number; readonly raw: Buffer };

export interface Outgoing {
  readonly method: number;
  readonly class: MessageClass;
  readonly transactionId: Buffer;
  readonly attributes?: readonly Attribute[];
  /** Adds MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256. */
  readonly key?: IntegrityKey | undefined;
  readonly fingerprint?: boolean;
}

/**
 * The length of the message that starts `bytes`, from its header; `undefined` if it is not a STUN header. Needs 20 bytes.
 */
export const messageLength = (bytes: Buffer, offset = 0): number | undefined => {
  if ((bytes[offset] ?? 0xff) > 3 || bytes.readUInt32BE(offset + 4) !== magicCookie) return undefined;
  const length = bytes.readUInt16BE(offset + 2);
  return length % 4 === 0 ? 20 + length : undefined;
};

/** Whether `bytes` seem to contain a MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256, valid or not: a very cheap check. */
export const isSigned = (bytes: Buffer): boolean => {
  for (let at = 20; at + 4 <= bytes.length; at += 4 + ((bytes.readUInt16BE(at + 2) + 3) & ~3)) {
    const type = bytes.readUInt16BE(at);
    if (type === attribute.messageIntegrity || type === attribute.messageIntegritySha256) return true;
  }
  return false;
};
