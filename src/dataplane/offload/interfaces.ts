/** Looks up the network interfaces that the program can be attached to. */
import { createRequire } from "node:module";
import { networkInterfaces } from "node:os";
import { loadSys } from "../engines/batch/sys.ts";

export interface NetworkInterface {
  readonly name: string;
  /** The kernel's interface index. */
  readonly index: number;
}

/** `ARPHRD_ETHER` and `ARPHRD_LOOPBACK`: frames with an Ethernet header, as the program expects. */
const ETHERNET_TYPES: ReadonlySet<number> = new Set([1, 772]);
/** `struct ifreq`: the interface name, then a union. */
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;
const SIOCGIFHWADDR = 0x8927;
const SIOCGIFINDEX = 0x8933;
const SIOCETHTOOL = 0x8946;
const ETHTOOL_GDRVINFO = 3;
/** `struct ethtool_drvinfo`: the command, then the name of the driver. */
const DRIVER_BYTES = 196;
const DRIVER_NAME = { start: 4, end: 36 } as const;

/**
 * The union that an ioctl(2) on the interface returns; undefined if the call fails.
 * @param pointer to put into the union, for calls that write elsewhere.
 */
const request = (name: string, number: number, pointer = 0): Buffer | undefined => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const libc = koffi.load(null);
  const ioctl = libc.func("int ioctl(int fd, ulong request, void *argument)") as (
    fd: number,
    request: number,
    argument: Buffer,
  ) => number;
  const argument = Buffer.alloc(IFREQ_BYTES);
  if (Buffer.byteLength(name) >= IFNAMSIZ) return undefined;
  argument.write(name);
  argument.writeBigUInt64LE(BigInt(pointer), IFNAMSIZ);
  const sys = loadSys();
  const fd = sys.socket(4);
  const isDone = ioctl(fd, number, argument) === 0;
  sys.close(fd);
  return isDone ? argument.subarray(IFNAMSIZ) : undefined;
};

/** @throws Error if the interface does not exist or is not an Ethernet or loopback interface. */
export const interfaceOf = (name: string): NetworkInterface => {
  const [index, hardware] = [request(name, SIOCGIFINDEX), request(name, SIOCGIFHWADDR)];
  if (index === undefined || hardware === undefined)
    throw new Error(`interface ${JSON.stringify(name)} does not exist`);
  const type = hardware.readUInt16LE(0);
  if (!ETHERNET_TYPES.has(type))
    throw new Error(`interface ${JSON.stringify(name)} has no Ethernet header (link type ${type})`);
  return { name, index: index.readUInt32LE(0) };
};

/** The name of the interface's driver; undefined if it has none. */
export const driverOf = (name: string): string | undefined => {
  const info = Buffer.alloc(DRIVER_BYTES);
  info.writeUInt32LE(ETHTOOL_GDRVINFO);
  if (request(name, SIOCETHTOOL, loadSys().addressOf(info)) === undefined) return undefined;
  return info.toString("latin1", DRIVER_NAME.start, DRIVER_NAME.end).split("\0")[0];
};

/** All Ethernet and loopback interfaces with an IP address. */
export const usableInterfaces = (): readonly NetworkInterface[] =>
  Object.keys(networkInterfaces()).flatMap((name) => {
    try {
      return [interfaceOf(name)];
    } catch {
      return [];
    }
  });
