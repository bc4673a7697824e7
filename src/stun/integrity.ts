/** MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, computed from the received bytes (RFC 8489 §14.5 to §14.7). */
import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { attribute } from "./attributes.ts";
import { HmacSha1 } from "./hmac-sha1.ts";
import { HmacSha256 } from "./hmac-sha256.ts";

/** Makes and checks MESSAGE-INTEGRITY, or MESSAGE-INTEGRITY-SHA256. */
export type IntegrityKey = HmacSha1 | HmacSha256;

const sha1 = { type: attribute.messageIntegrity, length: 20 } as const;
const sha256 = { type: attribute.messageIntegritySha256, length: 32 } as const;

/** The attribute that `key` makes, and the length of its value. */
export const integrityAttribute = (key: IntegrityKey): typeof sha1 | typeof sha256 =>
  key instanceof HmacSha1 ? sha1 : sha256;

/** Number of cached keys of credentials, the most recently used: a new client uses its own for several requests. */
const KEYS = 1024;
const keys = new Map<string, HmacSha1>();

/** Makes and checks MESSAGE-INTEGRITY with the long-term credential key, RFC 8489 §9.2.2. */
export const longTermKey = (username: string, realm: string, password: string): HmacSha1 => {
  const text = `${username}:${realm}:${password}`;
  const known = keys.get(text);
  if (known !== undefined) return known;
  const key = new HmacSha1(hash("md5", text, "buffer"));
  const [oldest] = keys.size < KEYS ? [] : keys.keys();
  if (oldest !== undefined) keys.delete(oldest);
  keys.set(text, key);
  return key;
};

const HEADER_BYTES = 20;

/**
 * Writes the value of the attribute of `key` at `offset` of `bytes`, whose length field must include it and nothing after
 * it.
 */
export const putIntegrity = (bytes: Buffer, offset: number, key: IntegrityKey): void =>
  key.sign(bytes, 0, offset, bytes, offset + 4);

/**
 * Whether the attribute at `offset` of `bytes` was made with `key`. It covers a length field that includes it and nothing
 * after it, so `bytes` has that length during the computation. MESSAGE-INTEGRITY-SHA256 may be cut (RFC 8489 §14.6).
 */
export const integrityIsValid = (bytes: Buffer, offset: number, key: IntegrityKey): boolean => {
  const count = key instanceof HmacSha1 ? sha1.length : bytes.readUInt16BE(offset + 2);
  if (offset + 4 + count > bytes.length) return false;
  const length = bytes.readUInt16BE(2);
  bytes.writeUInt16BE(offset + 4 + count - HEADER_BYTES, 2);
  const isValid = key.matches(bytes, 0, offset, bytes, offset + 4, count);
  bytes.writeUInt16BE(length, 2);
  return isValid;
};

const fingerprintXor = 0x5354554e;

/** The correct value of FINGERPRINT at `offset` of `bytes`, which is the last attribute. */
export const fingerprintOf = (bytes: Buffer, offset: number): number =>
  (crc32(bytes.subarray(0, offset)) ^ fingerprintXor) >>> 0;

/** Whether the FINGERPRINT attribute at `offset` of `bytes`, which is the last one, is correct. */
export const fingerprintIsValid = (bytes: Buffer, offset: number): boolean =>
  fingerprintOf(bytes, offset) === bytes.readUInt32BE(offset + 4);
