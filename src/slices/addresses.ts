/**
 * Replaces addresses by others. Two addresses that share their first n bits still do, so that a prefix contains what it
 * contained; and special addresses (loopback, link-local, metadata, private networks) stay special.
 */
import { parseIp, type Family, type Ip } from "../net/ip.ts";
import { specialBlocks } from "../admission/special.ts";

/** Whether the bit after a prefix is inverted: the same answer for the same text, and unpredictable. */
export type Coin = (prefix: string) => boolean;

interface Prefix {
  readonly family: Family;
  /** The leading bits, as `0` and `1`. */
  readonly bits: string;
}

const WIDTH = { 4: 32, 6: 128 } as const;

const bitsOf = ({ family, value }: Ip): string => value.toString(2).padStart(WIDTH[family], "0");

/** Well-known networks and addresses, such as private ones and those for documentation. */
const KNOWN = [
  "0.0.0.0/32",
  "127.0.0.1/32",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "192.0.2.0/24",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "fc00::/7",
  "2000::/3",
  "2001:db8::/32",
  "64:ff9b::/96",
] as const;

const prefixOf = (text: string): Prefix => {
  const [address = "", length = ""] = text.split("/");
  const ip = parseIp(address);
  if (ip === undefined) throw new Error(`${text} is no prefix`);
  return { family: ip.family, bits: bitsOf(ip).slice(0, Number(length)) };
};

/** Fixed blocks: each address of such a block is replaced by one of the same block, and no other address by one of it. */
const kept: readonly Prefix[] = [
  ...KNOWN.map(prefixOf),
  ...specialBlocks.map(({ ip, length }) => ({ family: ip.family, bits: bitsOf(ip).slice(0, length) })),
];

/** Every position at which a bit decides whether an address is in a fixed block: it is never inverted there. */
const fixed: ReadonlySet<string> = new Set(
  kept.flatMap(({ family, bits }) => Array.from(bits, (_, length) => `${family}:${bits.slice(0, length)}`)),
);

const textOf = (family: Family, bits: string): string => {
  const value = BigInt(`0b${bits}`);
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join(".");
  return Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(":");
};

export interface Addresses {
  /** Another address, in canonical form if the original was. Undefined if `text` is not an address. */
  address(text: string): string | undefined;
  /** Another `ADDRESS/LENGTH`; bits after the prefix stay zero if they are zero. */
  prefix(text: string): string | undefined;
}

export const createAddresses = (coin: Coin): Addresses => {
  const known = new Map<string, boolean>();
  const isTurned = (point: string): boolean => {
    let turned = known.get(point);
    if (turned === undefined) known.set(point, (turned = !fixed.has(point) && coin(point)));
    return turned;
  };

  const turn = (family: Family, bits: string): string =>
    Array.from(bits, (bit, length) =>
      isTurned(`${family}:${bits.slice(0, length)}`) ? (bit === "1" ? "0" : "1") : bit,
    ).join("");

  const spelled = (ip: Ip, original: string, bits: string): string => {
    const text = textOf(ip.family, bits);
    const canonical = parseIp(text)?.text ?? text;
    if (original === ip.text) return canonical;
    return ip.family === 4 ? `::ffff:${canonical}` : text;
  };

  return {
    address(text) {
      const ip = parseIp(text);
      return ip && spelled(ip, text, turn(ip.family, bitsOf(ip)));
    },
    prefix(text) {
      const [, address = "", digits = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
      const ip = parseIp(address);
      const length = Number(digits);
      if (ip === undefined || length > WIDTH[ip.family]) return undefined;
      const bits = bitsOf(ip);
      const behind = bits.slice(length);
      const turned = behind.includes("1") ? turn(ip.family, bits) : turn(ip.family, bits.slice(0, length)) + behind;
      return `${spelled(ip, address, turned)}/${digits}`;
    },
  };
};
