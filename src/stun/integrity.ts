/** MESSAGE-INTEGRITY and FINGERPRINT, over the bytes as they were received (RFC 8489 §14.5, §14.7). */
import { createHmac, createSecretKey, hash, timingSafeEqual, type KeyObject } from "node:crypto";
import { crc32 } from "node:zlib";
import { attribute, attributeBytes } from "./attributes.ts";

/**
 * The long-term credential key, RFC 8489 §9.2.2. As a key object: an HMAC with a key of plain bytes takes Node five times as
 * long.
 */
export const longTermKey = (username: string, realm: string, password: string): KeyObject =>
  createSecretKey(hash("md5", `${username}:${realm}:${password}`, "buffer"));

const hmac = (bytes: Buffer, end: number, key: KeyObject): Buffer => {
  // The length field counts MESSAGE-INTEGRITY and nothing behind it.
  const header = Buffer.from(bytes.subarray(0, 4));
  header.writeUInt16BE(end + 24 - 20, 2);
  return createHmac("sha1", key).update(header).update(bytes.subarray(4, end)).digest();
};

/** Whether the MESSAGE-INTEGRITY attribute at `offset` of `bytes` was made with `key`. */
export const integrityIsValid = (bytes: Buffer, offset: number, key: KeyObject): boolean =>
  timingSafeEqual(hmac(bytes, offset, key), bytes.subarray(offset + 4, offset + 24));

const fingerprintXor = 0x5354554e;

/** Whether the FINGERPRINT attribute at `offset` of `bytes`, which is the last one, is right. */
export const fingerprintIsValid = (bytes: Buffer, offset: number): boolean =>
  (crc32(bytes.subarray(0, offset)) ^ fingerprintXor) >>> 0 === bytes.readUInt32BE(offset + 4);

/** `message` with MESSAGE-INTEGRITY behind. */
export const withIntegrity = (message: Buffer, key: KeyObject): Buffer => {
  const signed = Buffer.concat([
    message,
    attributeBytes(attribute.messageIntegrity, hmac(message, message.length, key)),
  ]);
  signed.writeUInt16BE(signed.length - 20, 2);
  return signed;
};

/** `message` with FINGERPRINT behind. */
export const withFingerprint = (message: Buffer): Buffer => {
  const marked = Buffer.concat([message, attributeBytes(attribute.fingerprint, Buffer.alloc(4))]);
  marked.writeUInt16BE(marked.length - 20, 2);
  marked.writeUInt32BE((crc32(marked.subarray(0, marked.length - 8)) ^ fingerprintXor) >>> 0, marked.length - 4);
  return marked;
};
