/** Transport addresses: as text, and in the form that the packet path compares. */
import { bytesOf, parseIp, type Family } from "./ip.ts";

export interface TransportAddress {
  readonly address: string;
  readonly port: number;
}

/**
 * An IP address in the form that the packet path compares: four 32-bit words in memory order, signed (V8 stores those below
 * 2^31 inline, and allocates an object for larger ones), IPv4 as an IPv4-mapped IPv6 address.
 */
export interface Words {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

const scratch = new Int32Array(4);
const scratchBytes = new Uint8Array(scratch.buffer);
/** `::ffff:0:0/96` in memory. */
scratchBytes.set([0, 0, 0xff, 0xff]);
export const MAPPED_WORD = scratch[0] ?? 0;

/** @param bytes 4 or 16, in network order. */
export const wordsOfBytes = (bytes: Uint8Array): Words => {
  if (bytes.length === 4) {
    scratchBytes.set(bytes);
    return { w0: 0, w1: 0, w2: MAPPED_WORD, w3: scratch[0] ?? 0 };
  }
  scratchBytes.set(bytes);
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = scratch;
  return { w0, w1, w2, w3 };
};

/** A transport address with what the packet path needs of it. */
export interface WireAddress extends TransportAddress, Words {
  /** Our own address from which packets to it are sent, on a socket that has several. */
  readonly from?: WireAddress;
}

/** @throws RangeError if an address is not an IP literal. */
export const wireAddressOf = ({ address, port }: TransportAddress, from?: TransportAddress): WireAddress => {
  const ip = parseIp(address);
  if (ip === undefined) throw new RangeError(`${JSON.stringify(address)} is no IP address`);
  // No spread: V8 would store the fields of the object out of line.
  const { w0, w1, w2, w3 } = wordsOfBytes(bytesOf(ip));
  if (from === undefined) return { address, port, w0, w1, w2, w3 };
  return { address, port, w0, w1, w2, w3, from: wireAddressOf(from) };
};

/** Whether a socket bound to `address` accepts all addresses of its family. */
export const isWildcard = (address: string): boolean => address === "0.0.0.0" || address === "::";

export const familyOf = (address: string): Family => (address.includes(":") ? 6 : 4);

/** `ADDRESS:PORT`, with IPv6 in brackets. */
export const formatAddress = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** The first of each family. */
export const oneOfEachFamily = (addresses: readonly string[]): readonly string[] =>
  addresses.filter((address, place) => place === addresses.findIndex((one) => familyOf(one) === familyOf(address)));
