/**
 * Blocks that a wide prefix must not open by accident: `0.0.0.0/0` means the outside network, not the relay's own loopback
 * or the cloud's metadata service. Only an endpoint inside the block admits an address in it.
 */
import { parseIp, bitsOf, type Ip } from "../net/ip.ts";

export interface Block {
  readonly ip: Ip;
  readonly length: number;
  readonly label: string;
}

const block = (address: string, length: number, label: string): Block => {
  const ip = parseIp(address);
  if (ip === undefined) throw new Error(`${address} is no address`);
  return { ip, length, label };
};

/** Narrower blocks first: naming a wide one does not name the narrow one in it. */
export const specialBlocks: readonly Block[] = [
  block("169.254.169.254", 32, "link-local"),
  block("100.100.100.200", 32, "cloud metadata"),
  block("255.255.255.255", 32, "the broadcast address"),
  block("127.0.0.0", 8, "loopback"),
  block("0.0.0.0", 8, "unspecified"),
  block("169.254.0.0", 16, "link-local"),
  block("224.0.0.0", 4, "multicast"),
  block("::1", 128, "loopback"),
  block("::", 128, "unspecified"),
  block("fd00:ec2::254", 128, "cloud metadata"),
  block("fe80::", 10, "link-local"),
  block("ff00::", 8, "multicast"),
];

/** RFC 1918, RFC 6598 and RFC 4193. */
const privateBlocks: readonly Block[] = [
  block("10.0.0.0", 8, "private"),
  block("172.16.0.0", 12, "private"),
  block("192.168.0.0", 16, "private"),
  block("100.64.0.0", 10, "private"),
  block("fc00::", 7, "private"),
];

const contains = ({ ip, length }: Block, other: Ip): boolean => {
  const shift = BigInt(bitsOf(ip.family) - length);
  return ip.family === other.family && ip.value >> shift === other.value >> shift;
};

/** RFC 6052: an address that NAT64 maps is as special as the IPv4 address in it. */
const nat64 = block("64:ff9b::", 96, "NAT64");

/** Why an address needs to be named, and the minimum prefix length of an endpoint that names it. */
export type Named = Pick<Block, "label" | "length">;

const find = (blocks: readonly Block[], ip: Ip): Named | undefined => {
  if (contains(nat64, ip)) {
    const inner = find(blocks, { family: 4, value: ip.value & 0xffffffffn, text: "" });
    return inner && { label: inner.label, length: inner.length + 96 };
  }
  return blocks.find((candidate) => contains(candidate, ip));
};

export const specialBlock = (ip: Ip): Named | undefined => find(specialBlocks, ip);

export const privateBlock = (ip: Ip): Named | undefined => find(privateBlocks, ip);
