/**
 * STUN messages as the relay sends them, written into one buffer. MESSAGE-INTEGRITY and FINGERPRINT are computed in place.
 * The caller owns the result of `encode`: a socket may keep it until it is sent.
 */
import { putIp } from "../net/ip.ts";
import type { TransportAddress } from "../net/address.ts";
import { addressFamily, attribute, magicCookie } from "./attributes.ts";
import { fingerprintOf, integrityAttribute, putIntegrity } from "./integrity.ts";
import { typeOf, type Attribute, type Outgoing } from "./message.ts";

const headerBytes = 20;
/** The longest message that a header can describe. */
const maxBytes = headerBytes + 0xfffc;

/** The buffer for messages. The code from the first byte of a message to its copy is synchronous. */
const scratch = Buffer.alloc(maxBytes);

const setU16 = (at: number, value: number): void => {
  scratch[at] = value >>> 8;
  scratch[at + 1] = value & 255;
};

const setU32 = (at: number, value: number): void => {
  setU16(at, value >>> 16);
  setU16(at + 2, value & 0xffff);
};

/** @throws RangeError if a message with that many more bytes exceeds STUN's maximum length. */
const ensureRoom = (at: number, bytes: number): void => {
  if (at + bytes > maxBytes) throw new RangeError(`a STUN message of more than ${maxBytes} bytes`);
};

/**
 * Writes the type and length before, and the padding after, the `length` bytes of the value at `at + 4`. Returns the end.
 */
const close = (at: number, type: number, length: number): number => {
  const end = at + 4 + ((length + 3) & ~3);
  setU16(at, type);
  setU16(at + 2, length);
  for (let padding = at + 4 + length; padding < end; padding++) scratch[padding] = 0;
  return end;
};

/** Whether `type` is written in its XORed form (RFC 8489 §14.2). */
const isXored = (type: number): boolean =>
  type === attribute.xorMappedAddress || type === attribute.xorPeerAddress || type === attribute.xorRelayedAddress;

/** A zone is dropped: it has no meaning for the other side. A text that is not an IP address is left out. */
const putAddress = (at: number, type: number, { address, port }: TransportAddress): number => {
  // A value that does not fit is not written.
  const bytes = putIp(address, scratch, at + 8);
  if (bytes === 0) return at;
  ensureRoom(at, 8 + bytes);
  setU16(at + 4, bytes === 4 ? addressFamily.ipv4 : addressFamily.ipv6);
  setU16(at + 6, port);
  if (isXored(type)) {
    setU16(at + 6, port ^ (magicCookie >>> 16));
    // With the magic cookie and the transaction id, as in the header.
    for (let index = 0; index < bytes; index++)
      scratch[at + 8 + index] = (scratch[at + 8 + index] ?? 0) ^ (scratch[4 + index] ?? 0);
  }
  return close(at, type, 4 + bytes);
};

const putBytes = (at: number, type: number, value: Buffer): number => {
  ensureRoom(at, 4 + ((value.length + 3) & ~3));
  value.copy(scratch, at + 4);
  return close(at, type, value.length);
};

const putText = (at: number, type: number, value: string): number => {
  ensureRoom(at, 4 + ((Buffer.byteLength(value) + 3) & ~3));
  return close(at, type, scratch.write(value, at + 4));
};

const putValue = (at: number, type: number, value: string | number | Buffer | readonly number[]): number => {
  if (typeof value === "string") return putText(at, type, value);
  if (typeof value !== "number") return Buffer.isBuffer(value) ? putBytes(at, type, value) : putTypes(at, type, value);
  ensureRoom(at, 8);
  setU32(at + 4, value);
  return close(at, type, 4);
};

/** RFC 8489 §14.9. */
const putTypes = (at: number, type: number, types: readonly number[]): number => {
  ensureRoom(at, 4 + ((2 * types.length + 3) & ~3));
  for (let index = 0; index < types.length; index++) setU16(at + 4 + 2 * index, types[index] ?? 0);
  return close(at, type, 2 * types.length);
};

/** RFC 8489 §14.8, without a reason phrase: its class is the hundreds digit. */
const putErrorCode = (at: number, type: number, code: number): number => {
  ensureRoom(at, 8);
  setU16(at + 4, 0);
  scratch[at + 6] = Math.trunc(code / 100);
  scratch[at + 7] = code % 100;
  return close(at, type, 4);
};

const put = (at: number, item: Attribute): number => {
  if ("value" in item) return putValue(at, item.type, item.value);
  if ("address" in item) return putAddress(at, item.type, item.address);
  if ("code" in item) return putErrorCode(at, item.type, item.code);
  return putBytes(at, item.type, item.raw);
};

/**
 * Sets the length in the header to include what ends at `at`: MESSAGE-INTEGRITY and FINGERPRINT cover a header that
 * includes them.
 */
const countTo = (at: number): void => setU16(2, at - headerBytes);

/**
 * Writes a message, with the attributes in the given order.
 *
 * @throws RangeError if it is longer than a STUN message can be.
 */
export const encode = ({ method, class: kind, transactionId, attributes, key, fingerprint }: Outgoing): Buffer => {
  setU16(0, typeOf(method, kind));
  setU32(4, magicCookie);
  transactionId.copy(scratch, 8, 0, 12);
  let at = headerBytes;
  if (attributes !== undefined) for (const item of attributes) at = put(at, item);
  if (key !== undefined) {
    const { type, length } = integrityAttribute(key);
    ensureRoom(at, 4 + length);
    countTo(at + 4 + length);
    putIntegrity(scratch, at, key);
    at = close(at, type, length);
  }
  countTo(at);
  if (fingerprint === true) {
    ensureRoom(at, 8);
    countTo(at + 8);
    setU32(at + 4, fingerprintOf(scratch, at));
    at = close(at, attribute.fingerprint, 4);
  }
  const bytes = Buffer.allocUnsafe(at);
  scratch.copy(bytes, 0, 0, at);
  return bytes;
};
