/** Network interfaces that the program can be attached to. */
import { createRequire } from "node:module";
import { networkInterfaces } from "node:os";

export interface NetworkInterface {
  readonly name: string;
  /** Number, as the kernel counts them. */
  readonly index: number;
}

/** `ARPHRD_ETHER` and `ARPHRD_LOOPBACK`: their frames begin with an Ethernet header, which the program reads past. */
const ETHERNET_TYPES: ReadonlySet<number> = new Set([1, 772]);
const AF_INET = 2;
const SOCK_DGRAM = 2;
/** `struct ifreq`: a name, and what is asked for behind it. */
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;
const SIOCGIFHWADDR = 0x8927;
const SIOCGIFINDEX = 0x8933;

/** What an ioctl(2) on the interface `name` puts behind the name; nothing where it fails. */
const request = (name: string, number: number): Buffer | undefined => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const libc = koffi.load(null);
  const socket = libc.func("int socket(int domain, int type, int protocol)") as (...args: readonly number[]) => number;
  const ioctl = libc.func("int ioctl(int fd, ulong request, void *argument)") as (
    fd: number,
    request: number,
    argument: Buffer,
  ) => number;
  const close = libc.func("int close(int fd)") as (fd: number) => number;
  const argument = Buffer.alloc(IFREQ_BYTES);
  if (Buffer.byteLength(name) >= IFNAMSIZ) return undefined;
  argument.write(name);
  const fd = socket(AF_INET, SOCK_DGRAM, 0);
  const isDone = ioctl(fd, number, argument) === 0;
  close(fd);
  return isDone ? argument.subarray(IFNAMSIZ) : undefined;
};

/** @throws Error when there is no such interface, or its frames are of another kind. */
export const interfaceOf = (name: string): NetworkInterface => {
  const [index, hardware] = [request(name, SIOCGIFINDEX), request(name, SIOCGIFHWADDR)];
  if (index === undefined || hardware === undefined) throw new Error(`there is no interface ${JSON.stringify(name)}`);
  const type = hardware.readUInt16LE(0);
  if (!ETHERNET_TYPES.has(type))
    throw new Error(`frames of ${JSON.stringify(name)} have no Ethernet header (link type ${type})`);
  return { name, index: index.readUInt32LE(0) };
};

/** All that have an IP address and frames that the program reads. */
export const usableInterfaces = (): readonly NetworkInterface[] =>
  Object.keys(networkInterfaces()).flatMap((name) => {
    try {
      return [interfaceOf(name)];
    } catch {
      return [];
    }
  });
