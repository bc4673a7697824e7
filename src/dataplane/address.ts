/** IP and transport addresses: one text form for each address, and numbers to match prefixes with. */
import { isIPv4, isIPv6, SocketAddress } from "node:net";

export type Family = 4 | 6;

/** An IP address. IPv4-mapped IPv6 addresses are IPv4 here, so one host has one form. */
export interface Ip {
  readonly family: Family;
  readonly value: bigint;
  /** Canonical text, the form that the operating system reports. */
  readonly text: string;
}

export interface TransportAddress {
  readonly address: string;
  readonly port: number;
}

const valueOf4 = (text: string): bigint => {
  let value = 0;
  for (const part of text.split(".")) value = value * 256 + Number(part);
  return BigInt(value);
};

const text4 = (value: bigint): string => {
  const v = Number(value);
  return `${Math.floor(v / 0x1000000)}.${(v >> 16) & 255}.${(v >> 8) & 255}.${v & 255}`;
};

const valueOf6 = (text: string): bigint => {
  const dotted = text.lastIndexOf(".") < 0 ? undefined : text.slice(text.lastIndexOf(":") + 1);
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const v4 = dotted === undefined ? 0n : valueOf4(dotted);
  const hex =
    dotted === undefined
      ? text
      : `${text.slice(0, -dotted.length)}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`;
  const [head = "", tail] = hex.split("::");
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  let value = 0n;
  for (const group of [...before, ...Array<string>(zeros).fill("0"), ...after])
    value = (value << 16n) | BigInt(`0x${group}`);
  return value;
};

const mapped = 0xffffn;

/** `undefined` when `text` is not an IP literal. A zone (`%eth0`) is dropped. */
export const parseIp = (text: string): Ip | undefined => {
  if (isIPv4(text)) {
    const value = valueOf4(text);
    return { family: 4, value, text: text4(value) };
  }
  if (!isIPv6(text)) return undefined;
  const zone = text.indexOf("%");
  const bare = zone < 0 ? text : text.slice(0, zone);
  const value = valueOf6(bare);
  if (value >> 32n === mapped) return { family: 4, value: value & 0xffffffffn, text: text4(value & 0xffffffffn) };
  return { family: 6, value, text: new SocketAddress({ address: bare, family: "ipv6" }).address };
};

/** The canonical text of `length` (4 or 16) network-order bytes. */
export const textOfBytes = (bytes: Buffer, offset: number, length: 4 | 16): string => {
  if (length === 4) return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
  let text = "";
  for (let at = 0; at < 16; at += 2) text += `${at === 0 ? "" : ":"}${bytes.readUInt16BE(offset + at).toString(16)}`;
  return new SocketAddress({ address: text, family: "ipv6" }).address;
};

/** Network-order bytes of an IP literal, 4 or 16 of them; mapped addresses give 4. */
export const bytesOf = (ip: Ip): Buffer => {
  if (ip.family === 4) {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32BE(Number(ip.value));
    return bytes;
  }
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeBigUInt64BE(ip.value >> 64n, 0);
  bytes.writeBigUInt64BE(ip.value & 0xffffffffffffffffn, 8);
  return bytes;
};

/**
 * An IP address as the packet path compares it: four 32-bit words as they stand in memory, signed (V8 holds
 * those below 2^31 in place, and makes an object of what is larger), IPv4 in the form of an
 * IPv4-mapped IPv6 address.
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
export interface Endpoint extends TransportAddress, Words {
  /** Our own address that packets there come from, on a socket that has several. */
  readonly from?: Endpoint;
}

/** @throws RangeError when an address is not an IP literal. */
export const endpointOf = ({ address, port }: TransportAddress, from?: TransportAddress): Endpoint => {
  const ip = parseIp(address);
  if (ip === undefined) throw new RangeError(`${JSON.stringify(address)} is no IP address`);
  // Written out: of an object with a spread in it V8 keeps the fields elsewhere.
  const { w0, w1, w2, w3 } = wordsOfBytes(bytesOf(ip));
  if (from === undefined) return { address, port, w0, w1, w2, w3 };
  return { address, port, w0, w1, w2, w3, from: endpointOf(from) };
};

/** Whether a socket bound to `address` has all addresses of its family. */
export const isWildcard = (address: string): boolean => address === "0.0.0.0" || address === "::";

export const familyOf = (address: string): Family => (address.includes(":") ? 6 : 4);

/** `ADDRESS:PORT`, with IPv6 in brackets. */
export const formatAddress = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
