/** Whether XDP can forward packets in the driver of an interface, and whether it is worthwhile. */
import { readFileSync } from "node:fs";
import { driverOf, type NetworkInterface } from "./interfaces.ts";
import { attribute, attributesOf, openNetlink } from "./netlink.ts";

const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
/** The family `netdev` (Linux 6.3). */
const NETDEV_CMD_DEV_GET = 1;
const NETDEV_A_DEV_IFINDEX = 1;
const NETDEV_A_DEV_XDP_FEATURES = 3;
/** `NETDEV_XDP_ACT_BASIC`: it receives, and sends what it received back. `NETDEV_XDP_ACT_NDO_XMIT`: it sends what others received. */
const FEATURES = { basic: 1n, transmit: 4n } as const;
const GENERIC_BYTES = 4;

const generic = (command: number): Buffer => Buffer.from([command, 1, 0, 0]);

/** @throws Error if no netlink socket can be opened. */
const featuresOf = (index: number): bigint | undefined => {
  const netlink = openNetlink("generic");
  try {
    const family = netlink.ask(GENL_ID_CTRL, generic(CTRL_CMD_GETFAMILY), [
      attribute(CTRL_ATTR_FAMILY_NAME, Buffer.from("netdev\0")),
    ]);
    const id = family && attributesOf(family, GENERIC_BYTES).get(CTRL_ATTR_FAMILY_ID)?.readUInt16LE(0);
    if (id === undefined) return undefined;
    const which = Buffer.alloc(4);
    which.writeUInt32LE(index);
    const device = netlink.ask(id, generic(NETDEV_CMD_DEV_GET), [attribute(NETDEV_A_DEV_IFINDEX, which)]);
    return device && attributesOf(device, GENERIC_BYTES).get(NETDEV_A_DEV_XDP_FEATURES)?.readBigUInt64LE(0);
  } finally {
    netlink.close();
  }
};

const isForwarding = (name: string): boolean =>
  (["ipv4", "ipv6"] as const).some((family) => {
    try {
      return readFileSync(`/proc/sys/net/${family}/conf/${name}/forwarding`, "latin1").trim() !== "0";
    } catch {
      // The kernel does not have this family.
      return false;
    }
  });

/**
 * Why the program cannot forward in the driver of the interface; undefined if it can.
 *
 * The other end of a veth pair discards what XDP sends unless it has an XDP program or GRO; the kernel reports this as the
 * feature `transmit`. Other drivers have that feature only while a program is attached.
 *
 * @throws Error if no netlink socket can be opened.
 */
export const whyNoXdp = ({ name, index }: NetworkInterface): string | undefined => {
  const features = featuresOf(index);
  if (features === undefined) return "the kernel does not tell what its driver supports (Linux 6.3)";
  if ((features & FEATURES.basic) === 0n) return "its driver has no XDP";
  if ((features & FEATURES.transmit) === 0n && driverOf(name) === "veth")
    return "the other end of its veth pair has neither GRO nor an XDP program, and would discard the packets";
  return isForwarding(name)
    ? undefined
    : "IP forwarding is off for it (sysctl net.ipv4.ip_forward or net.ipv6.conf.all.forwarding)";
};

/** Whether an interface with an XDP program sends what another one received. @throws Error if no netlink socket can be opened. */
export const canTransmit = ({ index }: NetworkInterface): boolean =>
  ((featuresOf(index) ?? 0n) & FEATURES.transmit) !== 0n;

/** Why TC is the better choice for an interface that XDP could serve; undefined if it is not. */
export const whyRatherTc = ({ name }: NetworkInterface): string | undefined =>
  driverOf(name) === "veth" ? "it is a veth, on which XDP costs more than it saves" : undefined;
