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

const contains = ({ ip, length }: Block, other: Ip): boolean => {
  const shift = BigInt(bitsOf(ip.family) - length);
  return ip.family === other.family && ip.value >> shift === other.value >> shift;
};

/** RFC 6052: an address that NAT64 maps is as special as the IPv4 address in it. */
const nat64 = block("64:ff9b::", 96, "NAT64");

/** Why `ip` is special, and the minimum prefix length of an endpoint that names it. */
export const specialBlock = (ip: Ip): { readonly label: string; readonly length: number } | undefined => {
  if (contains(nat64, ip)) {
    const inner = specialBlock({ family: 4, value: ip.value & 0xffffffffn, text: "" });
    return inner && { label: inner.label, length: inner.length + 96 };
  }
  return specialBlocks.find((candidate) => contains(candidate, ip));
};
