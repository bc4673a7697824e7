/** Route lookups in the kernel, through rtnetlink(7). */
import { createRequire } from "node:module";
import { bytesOf, parseIp, textOfBytes } from "../../net/ip.ts";
import { AF_INET, AF_INET6, loadSys } from "../engines/batch/sys.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const RTM_GETROUTE = 26;
const NLM_F_REQUEST = 1;
const NLMSG_ERROR = 2;
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_OIF = 4;
const RTA_PREFSRC = 7;
const HEADER_BYTES = 16;
const ROUTE_BYTES = 12;
/** `RTN_UNICAST`, `RTN_LOCAL`: not broadcast, multicast or unreachable. */
const FORWARDABLE: ReadonlySet<number> = new Set([1, 2]);
const FAMILIES = { 4: AF_INET, 6: AF_INET6 } as const;
const ANSWER_BYTES = 4096;

type Call = (...args: readonly (number | Buffer)[]) => number;

interface Route {
  /** Index of the outgoing interface. */
  readonly interface: number;
  /** The preferred source address. */
  readonly source: string | undefined;
}

export interface Routes {
  /**
   * The route from `from` to `target`. If `from` is not an address of this host, the default route's source is used
   * instead. Undefined if the target is unreachable.
   */
  to(target: string, from: string): (Route & { readonly source: string }) | undefined;
  close(): void;
}

const padded = (length: number): number => (length + 3) & ~3;

const attribute = (type: number, value: Uint8Array): Buffer => {
  const bytes = Buffer.alloc(padded(4 + value.length));
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
};

/** @throws Error if `target` is not an IP address. */
const routeRequest = (target: string, from?: string): Buffer => {
  const to = parseIp(target);
  const source = from === undefined ? undefined : parseIp(from);
  if (to === undefined) throw new Error(`${target} is not an IP address`);
  const attributes = [attribute(RTA_DST, bytesOf(to))];
  if (source !== undefined) attributes.push(attribute(RTA_SRC, bytesOf(source)));
  const header = Buffer.alloc(HEADER_BYTES + ROUTE_BYTES);
  const bytes = Buffer.concat([header, ...attributes]);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(RTM_GETROUTE, 4);
  bytes.writeUInt16LE(NLM_F_REQUEST, 6);
  bytes.writeUInt8(FAMILIES[to.family], HEADER_BYTES);
  bytes.writeUInt8(to.family === 4 ? 32 : 128, HEADER_BYTES + 1);
  if (source !== undefined) bytes.writeUInt8(source.family === 4 ? 32 : 128, HEADER_BYTES + 2);
  return bytes;
};

/** Parses the response to `routeRequest`. Undefined for an error, and for a route that is not to one host. */
const routeIn = (answer: Buffer): Route | undefined => {
  if (answer.length < HEADER_BYTES + ROUTE_BYTES || answer.readUInt16LE(4) === NLMSG_ERROR) return undefined;
  if (!FORWARDABLE.has(answer.readUInt8(HEADER_BYTES + 7))) return undefined;
  const end = Math.min(answer.length, answer.readUInt32LE(0));
  let index: number | undefined;
  let source: string | undefined;
  for (let at = HEADER_BYTES + ROUTE_BYTES; at + 4 <= end;) {
    const length = answer.readUInt16LE(at);
    if (length < 4 || at + length > end) return undefined;
    const type = answer.readUInt16LE(at + 2);
    if (type === RTA_OIF && length >= 8) index = answer.readUInt32LE(at + 4);
    if (type === RTA_PREFSRC && (length === 8 || length === 20))
      source = textOfBytes(answer, at + 4, length === 8 ? 4 : 16);
    at += padded(length);
  }
  return index === undefined ? undefined : { interface: index, source };
};

/** @throws Error if no netlink socket can be opened. */
export const openRoutes = (): Routes => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const libc = koffi.load(null);
  const call = (declaration: string): Call => libc.func(declaration) as Call;
  const socket = call("int socket(int domain, int type, int protocol)");
  const send = call("long send(int fd, const void *bytes, size_t count, int flags)");
  const receive = call("long recv(int fd, void *bytes, size_t count, int flags)");
  const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) throw new Error("cannot open a netlink socket");
  const answer = Buffer.alloc(ANSWER_BYTES);
  const ask = (request: Buffer): Route | undefined => {
    // The kernel responds within send(): recv() does not block.
    if (send(fd, request, request.length, 0) < 0) return undefined;
    const length = receive(fd, answer, answer.length, 0);
    return length <= 0 ? undefined : routeIn(answer.subarray(0, length));
  };
  return {
    to(target, from) {
      const own = ask(routeRequest(target, from));
      if (own !== undefined) return { interface: own.interface, source: from };
      const other = ask(routeRequest(target));
      return other?.source === undefined ? undefined : { interface: other.interface, source: other.source };
    },
    close: () => loadSys().close(fd),
  };
};
