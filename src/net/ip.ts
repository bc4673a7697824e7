/**
 * IP addresses and prefixes: validation, values, and one text form for each. Literals are parsed as strictly as in Go's
 * `net`, so that later programs reject nothing that this one accepted.
 */

export type Family = 4 | 6;

/** An IP address. IPv4-mapped IPv6 addresses are IPv4 here, so one host has one form. */
export interface Ip {
  readonly family: Family;
  readonly value: bigint;
  /** Canonical text, in the form of the operating system. */
  readonly text: string;
}

/** Bits of an address of `family`. */
export const bitsOf = (family: Family): number => (family === 4 ? 32 : 128);

const isOctet = (text: string): boolean => /^(0|[1-9][0-9]{0,2})$/.test(text) && Number(text) <= 255;

export const isIPv4 = (text: string): boolean => {
  const octets = text.split(".");
  return octets.length === 4 && octets.every(isOctet);
};

const valueOf4 = (text: string): number => {
  let value = 0;
  for (const octet of text.split(".")) value = value * 256 + Number(octet);
  return value;
};

const text4 = (value: number): string =>
  `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;

/** The words of one half of an IPv6 literal; undefined if one is not hexadecimal. An IPv4 address may end the literal. */
const wordsOf = (half: string, isLast: boolean): number[] | undefined => {
  const words: number[] = [];
  if (half === "") return words;
  const parts = half.split(":");
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) words.push(Number.parseInt(part, 16));
    else if (isLast && index === parts.length - 1 && isIPv4(part)) {
      const value = valueOf4(part);
      words.push(value >>> 16, value & 0xffff);
    } else return undefined;
  }
  return words;
};

/** The eight words of an IPv6 literal without a zone; undefined if `text` is not one. */
const wordsOfIPv6 = (text: string): readonly number[] | undefined => {
  if (!text.includes(":")) return undefined;
  const halves = text.split("::");
  const [head = "", tail] = halves;
  if (halves.length > 2) return undefined;
  const before = wordsOf(head, tail === undefined);
  const after = wordsOf(tail ?? "", true);
  if (before === undefined || after === undefined) return undefined;
  const zeros = 8 - before.length - after.length;
  if (tail === undefined ? zeros !== 0 : zeros < 1) return undefined;
  return [...before, ...Array<number>(zeros).fill(0), ...after];
};

/** With a zone (`%eth0`) it is another kind of address: no prefix, no endpoint and no status has one. */
export const isIPv6 = (text: string): boolean => wordsOfIPv6(text) !== undefined;

export const isIP = (text: string): boolean => isIPv4(text) || isIPv6(text);

/** `ADDRESS/LENGTH`. */
export const isPrefix = (text: string): boolean => {
  const slash = text.lastIndexOf("/");
  if (slash < 0) return false;
  const address = text.slice(0, slash);
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(length)) return false;
  return isIPv4(address) ? Number(length) <= 32 : isIPv6(address) && Number(length) <= 128;
};

/** Start and end of the longest sequence of at least two zero words, the first of equals. */
const longestZeros = (words: readonly number[]): readonly [number, number] => {
  let best: [number, number] = [0, 0];
  for (let start = 0; start < 8; start += 1) {
    let end = start;
    while (end < 8 && words[end] === 0) end += 1;
    if (end - start > Math.max(1, best[1] - best[0])) best = [start, end];
    start = end;
  }
  return best;
};

/** In the form of operating systems: RFC 5952, with the last 32 bits dotted if the address is IPv4-compatible. */
const text6 = (words: readonly number[]): string => {
  const [start, end] = longestZeros(words);
  if (start === 0 && end === 6) return `::${text4((((words[6] ?? 0) << 16) | (words[7] ?? 0)) >>> 0)}`;
  const hex = words.map((word) => word.toString(16));
  return end === 0 ? hex.join(":") : `${hex.slice(0, start).join(":")}::${hex.slice(end).join(":")}`;
};

const isMapped = (words: readonly number[]): boolean =>
  words[5] === 0xffff && words.slice(0, 5).every((word) => word === 0);

const ipv4 = (value: number): Ip => ({ family: 4, value: BigInt(value), text: text4(value) });

/** `undefined` if `text` is not an IP literal. A zone (`%eth0`) is dropped. */
export const parseIp = (text: string): Ip | undefined => {
  if (isIPv4(text)) return ipv4(valueOf4(text));
  const words = wordsOfIPv6(text.replace(/%.+$/, ""));
  if (words === undefined) return undefined;
  if (isMapped(words)) return ipv4((((words[6] ?? 0) << 16) | (words[7] ?? 0)) >>> 0);
  let value = 0n;
  for (const word of words) value = (value << 16n) | BigInt(word);
  return { family: 6, value, text: text6(words) };
};

/** The canonical text of `length` (4 or 16) network-order bytes. IPv4-mapped addresses keep their IPv6 form. */
export const textOfBytes = (bytes: Uint8Array, offset: number, length: 4 | 16): string => {
  if (length === 4) return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
  const words: number[] = [];
  for (let at = offset; at < offset + 16; at += 2) words.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  if (!isMapped(words)) return text6(words);
  return `::ffff:${textOfBytes(bytes, offset + 12, 4)}`;
};

/** Network-order bytes of an IP literal, 4 or 16; mapped addresses give 4. */
export const bytesOf = ({ family, value }: Pick<Ip, "family" | "value">): Uint8Array => {
  const bytes = new Uint8Array(bitsOf(family) / 8);
  let rest = value;
  for (let at = bytes.length - 1; at >= 0; at -= 1) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
};

/** Writes the four octets of `text` to `target` at `at`; false, with some of them written, if it is not an IPv4 literal. */
const putIPv4 = (text: string, target: Uint8Array, at: number): boolean => {
  let octet = 0;
  let digits = 0;
  let count = 0;
  for (let index = 0; index <= text.length; index += 1) {
    const digit = index === text.length ? -2 : text.charCodeAt(index) - 48;
    if (digit >= 0 && digit <= 9) {
      // No octet starts with a zero, except 0.
      if (digits > 0 && octet === 0) return false;
      octet = octet * 10 + digit;
      digits += 1;
      if (octet > 255) return false;
    } else {
      // A full stop, or the end of the text.
      if (digit !== -2 || digits === 0 || count === 4) return false;
      target[at + count] = octet;
      count += 1;
      octet = 0;
      digits = 0;
    }
  }
  return count === 4;
};

/**
 * Writes the network-order bytes of an IP literal to `target` at `at`. Returns their number: that of
 * `bytesOf(parseIp(text))`, and 0 if `text` is not an IP literal. Allocates no value or text of the address.
 */
export const putIp = (text: string, target: Uint8Array, at: number): 0 | 4 | 16 => {
  if (putIPv4(text, target, at)) return 4;
  const words = wordsOfIPv6(text.replace(/%.+$/, ""));
  if (words === undefined) return 0;
  const first = isMapped(words) ? 6 : 0;
  for (let index = first; index < 8; index += 1) {
    const word = words[index] ?? 0;
    target[at + 2 * (index - first)] = word >>> 8;
    target[at + 2 * (index - first) + 1] = word & 255;
  }
  return first === 0 ? 16 : 4;
};
