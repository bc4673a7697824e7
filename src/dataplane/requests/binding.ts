/** Binding, RFC 8489 §12: any client may ask for its own address; and NAT behaviour discovery, RFC 5780 §6. */
import { addressValue, attribute, discoveryAttribute } from "../../stun/attributes.ts";
import { encode } from "../../stun/writer.ts";
import type { Attribute, Message } from "../../stun/message.ts";
import type { ListenerPath } from "../listeners/listener.ts";

/** Attributes that must be understood, and are not on this path. */
export const unknownInBinding = ({ unknown }: Message, { discovery }: ListenerPath): readonly number[] =>
  unknown.length === 0 || discovery === undefined
    ? unknown
    : unknown.filter((type) => type !== discoveryAttribute.changeRequest && type !== discoveryAttribute.responsePort);

const [CHANGE_IP, CHANGE_PORT] = [4, 2];

/** The path of the answer: for NAT behaviour discovery the client may ask for another one. */
const pathOf = ({ changeRequest = 0, responsePort }: Message, path: ListenerPath): ListenerPath =>
  path.discovery?.by(
    (changeRequest & CHANGE_IP) !== 0,
    (changeRequest & CHANGE_PORT) !== 0,
    // Nothing can be sent to port 0.
    responsePort === 0 ? undefined : responsePort,
  ) ?? path;

/** The answer, and the path by which it is to be sent. */
export const binding = (
  message: Message,
  path: ListenerPath,
): { readonly bytes: Buffer; readonly by: ListenerPath } => {
  const { discovery } = path;
  const by = discovery === undefined ? path : pathOf(message, path);
  const more: readonly Attribute[] =
    discovery === undefined
      ? []
      : [
          { type: discoveryAttribute.responseOrigin, raw: addressValue(by.server) ?? Buffer.alloc(0) },
          { type: discoveryAttribute.otherAddress, raw: addressValue(discovery.other) ?? Buffer.alloc(0) },
        ];
  const bytes = encode({
    method: message.method,
    class: "success",
    transactionId: message.transactionId,
    attributes: [{ type: attribute.xorMappedAddress, address: path.client }, ...more],
    fingerprint: true,
  });
  return { bytes, by };
};
