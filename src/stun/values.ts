/**
 * Values of attributes, read in place: `at` is where a value starts, and its length is before it. They must be well-formed
 * (`well-formed.ts`).
 */
import type { TransportAddress } from "../net/address.ts";
import { textOfBytes } from "../net/ip.ts";
import { readXorAddress } from "./attributes.ts";

/** The offset of an absent value. No value starts before a message. */
export const nowhere = 0;

export const u16 = (bytes: Buffer, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

export const lengthAt = (bytes: Buffer, at: number): number => u16(bytes, at - 2);

export const textAt = (bytes: Buffer, at: number): string | undefined =>
  at === nowhere ? undefined : bytes.toString("utf8", at, at + lengthAt(bytes, at));

/** A view. */
export const bytesAt = (bytes: Buffer, at: number): Buffer | undefined =>
  at === nowhere ? undefined : bytes.subarray(at, at + lengthAt(bytes, at));

export const u8At = (bytes: Buffer, at: number): number | undefined => (at === nowhere ? undefined : bytes[at]);

export const u16At = (bytes: Buffer, at: number): number | undefined => (at === nowhere ? undefined : u16(bytes, at));

export const u32At = (bytes: Buffer, at: number): number | undefined =>
  at === nowhere ? undefined : ((u16(bytes, at) << 16) | u16(bytes, at + 2)) >>> 0;

/** Of ERROR-CODE and ADDRESS-ERROR-CODE, RFC 8489 §14.8: the class is the hundreds digit. */
export const errorCodeAt = (bytes: Buffer, at: number): number =>
  ((bytes[at + 2] ?? 0) & 7) * 100 + (bytes[at + 3] ?? 0);

/** An address that is not XORed (RFC 8489 §14.1). */
export const addressAt = (bytes: Buffer, at: number): TransportAddress => ({
  address: textOfBytes(bytes, at + 4, lengthAt(bytes, at) === 8 ? 4 : 16),
  port: u16(bytes, at + 2),
});

const mappedPrefix = "::ffff:";

/** An XORed address (RFC 8489 §14.2). An IPv4-mapped address is an IPv4 one, so that a host has one form. */
export const xorAddressAt = (bytes: Buffer, at: number): TransportAddress => {
  const plain = readXorAddress(bytes, at, lengthAt(bytes, at));
  const { address, port } = plain;
  const isMapped = address.startsWith(mappedPrefix) && address.includes(".");
  return isMapped ? { address: address.slice(mappedPrefix.length), port } : plain;
};
