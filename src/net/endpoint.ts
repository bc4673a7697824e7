/** The endpoint grammar of a static cluster: `IP` or `IP/LEN`, either followed by `:<MIN-MAX>`; IPv6 without brackets. */
import { bitsOf, bytesOf, parseIp, textOfBytes, type Family } from "./ip.ts";

export interface Endpoint {
  /** The original text. */
  readonly text: string;
  readonly family: Family;
  /** The prefix without its host bits: the address shifted right by them. */
  readonly prefix: bigint;
  /** Prefix length in bits. */
  readonly length: number;
  /** Both inclusive. */
  readonly minPort: number;
  readonly maxPort: number;
}

const grammar = /^([0-9a-fA-F:.]+?)(?:\/(\d{1,3}))?(?::<(\d{1,5})-(\d{1,5})>)?$/;

/** `undefined` if `text` is not an endpoint. Reversed port bounds are kept, and match nothing. */
export const parseEndpoint = (text: string): Endpoint | undefined => {
  const [, address = "", written, minPort = "1", maxPort = "65535"] = grammar.exec(text) ?? [];
  const ip = parseIp(address);
  if (ip === undefined) return undefined;
  const bits = bitsOf(ip.family);
  // The length of an IPv4-mapped prefix is counted in bits of its IPv4 address.
  const length = written === undefined ? bits : Number(written) - (ip.family === 4 && address.includes(":") ? 96 : 0);
  if (length < 0 || length > bits) return undefined;
  return {
    text,
    family: ip.family,
    prefix: ip.value >> BigInt(bits - length),
    length,
    minPort: Number(minPort),
    maxPort: Number(maxPort),
  };
};

/**
 * `text` in the form that a running config reports: without host bits, and without a length or ports that match everything.
 */
export const canonicalEndpoint = (text: string): string => {
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) return text;
  const { family, length, minPort, maxPort } = endpoint;
  const value = endpoint.prefix << BigInt(bitsOf(family) - length);
  const address = textOfBytes(bytesOf({ family, value }), 0, family === 4 ? 4 : 16);
  const prefix = length === bitsOf(family) ? address : `${address}/${length}`;
  return minPort === 1 && maxPort === 65_535 ? prefix : `${prefix}:<${minPort}-${maxPort}>`;
};
