/** MESSAGE-INTEGRITY and FINGERPRINT, computed from the received bytes (RFC 8489 §14.5, §14.7). */
import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { DIGEST_BYTES, HmacSha1 } from "./hmac-sha1.ts";

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

const INTEGRITY_BYTES = 4 + DIGEST_BYTES;
const HEADER_BYTES = 20;

/**
 * Writes the value of MESSAGE-INTEGRITY at `offset` of `bytes`, whose length field must include it and nothing after it.
 */
export const putIntegrity = (bytes: Buffer, offset: number, key: HmacSha1): void =>
  key.sign(bytes, 0, offset, bytes, offset + 4);

/**
 * Whether the MESSAGE-INTEGRITY attribute at `offset` of `bytes` was made with `key`. It covers a length field that
 * includes it and nothing after it, so `bytes` has that length during the computation.
 */
export const integrityIsValid = (bytes: Buffer, offset: number, key: HmacSha1): boolean => {
  if (offset + INTEGRITY_BYTES > bytes.length) return false;
  const length = bytes.readUInt16BE(2);
  bytes.writeUInt16BE(offset + INTEGRITY_BYTES - HEADER_BYTES, 2);
  const isValid = key.matches(bytes, 0, offset, bytes, offset + 4);
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
