/** MESSAGE-INTEGRITY and FINGERPRINT, over the bytes as they were received (RFC 8489 §14.5, §14.7). */
import { createHmac, createSecretKey, hash, timingSafeEqual, type KeyObject } from "node:crypto";
import { crc32 } from "node:zlib";

/** Keys of credentials that were used last: a client that begins uses its own for each of several requests. */
const KEYS = 1024;
const keys = new Map<string, KeyObject>();

/**
 * The long-term credential key, RFC 8489 §9.2.2. As a key object: an HMAC with a key of plain bytes takes Node five times as
 * long.
 */
export const longTermKey = (username: string, realm: string, password: string): KeyObject => {
  const text = `${username}:${realm}:${password}`;
  const known = keys.get(text);
  if (known !== undefined) return known;
  const key = createSecretKey(hash("md5", text, "buffer"));
  const [oldest] = keys.size < KEYS ? [] : keys.keys();
  if (oldest !== undefined) keys.delete(oldest);
  keys.set(text, key);
  return key;
};

/** The first four bytes of a message, where they have to count less than they do. */
const head = Buffer.alloc(4);

/** What MESSAGE-INTEGRITY at `offset` of `bytes` has to be. The length field is taken to count it and nothing after it. */
export const integrityOf = (bytes: Buffer, offset: number, key: KeyObject): Buffer => {
  const counted = offset + 24 - 20;
  const hmac = createHmac("sha1", key);
  if (bytes.readUInt16BE(2) === counted) return hmac.update(bytes.subarray(0, offset)).digest();
  bytes.copy(head, 0, 0, 2);
  head.writeUInt16BE(counted, 2);
  return hmac.update(head).update(bytes.subarray(4, offset)).digest();
};

/** Whether the MESSAGE-INTEGRITY attribute at `offset` of `bytes` was made with `key`. */
export const integrityIsValid = (bytes: Buffer, offset: number, key: KeyObject): boolean =>
  timingSafeEqual(integrityOf(bytes, offset, key), bytes.subarray(offset + 4, offset + 24));

const fingerprintXor = 0x5354554e;

/** What FINGERPRINT at `offset` of `bytes`, which is the last attribute, has to be. */
export const fingerprintOf = (bytes: Buffer, offset: number): number =>
  (crc32(bytes.subarray(0, offset)) ^ fingerprintXor) >>> 0;

/** Whether the FINGERPRINT attribute at `offset` of `bytes`, which is the last one, is right. */
export const fingerprintIsValid = (bytes: Buffer, offset: number): boolean =>
  fingerprintOf(bytes, offset) === bytes.readUInt32BE(offset + 4);
