/** Binding, RFC 8489 §12: any client may ask for its own address. */
import { attribute } from "../../stun/attributes.ts";
import { encode } from "../../stun/writer.ts";
import type { Message } from "../../stun/message.ts";
import type { ClientPath } from "../flows.ts";

export const binding = (message: Message, { client }: ClientPath): Buffer =>
  encode({
    method: message.method,
    class: "success",
    transactionId: message.transactionId,
    attributes: [{ type: attribute.xorMappedAddress, address: client }],
    fingerprint: true,
  });
