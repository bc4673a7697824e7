/** Appends MESSAGE-INTEGRITY and FINGERPRINT to a message of a client. */
import { attribute } from "../stun/attributes.ts";
import { fingerprintOf, integrityAttribute, putIntegrity, type IntegrityKey } from "../stun/integrity.ts";
import { attributeBytes } from "./attribute-bytes.ts";

/** `message` with the placeholder `value` as its last attribute. */
const withLast = (message: Buffer, type: number, value: Buffer): Buffer => {
  const longer = Buffer.concat([message, attributeBytes(type, value)]);
  longer.writeUInt16BE(longer.length - 20, 2);
  return longer;
};

/** `message` with MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 appended. */
export const withIntegrity = (message: Buffer, key: IntegrityKey): Buffer => {
  const { type, length } = integrityAttribute(key);
  const signed = withLast(message, type, Buffer.alloc(length));
  putIntegrity(signed, message.length, key);
  return signed;
};

/** `message` with FINGERPRINT appended. */
export const withFingerprint = (message: Buffer): Buffer => {
  const marked = withLast(message, attribute.fingerprint, Buffer.alloc(4));
  marked.writeUInt32BE(fingerprintOf(marked, message.length), message.length + 4);
  return marked;
};
