/** Route lookups in the kernel, through rtnetlink(7). */
import { bytesOf, parseIp, textOfBytes } from "../../net/ip.ts";
import { AF_INET, AF_INET6 } from "../engines/batch/sys.ts";
import { attribute, attributesOf, openNetlink } from "./netlink.ts";

const RTM_GETROUTE = 26;
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_OIF = 4;
const RTA_PREFSRC = 7;
const ROUTE_BYTES = 12;
/** Offset of `rtm_type` in `struct rtmsg`. */
const TYPE_AT = 7;
/** `RTN_UNICAST`, `RTN_LOCAL`: not broadcast, multicast or unreachable. */
const FORWARDABLE: ReadonlySet<number> = new Set([1, 2]);
const FAMILIES = { 4: AF_INET, 6: AF_INET6 } as const;

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

/** `struct rtmsg` and the attributes of a request. @throws Error if `target` is not an IP address. */
const requestFor = (target: string, from: string | undefined): readonly [fixed: Buffer, attributes: Buffer[]] => {
  const to = parseIp(target);
  const source = from === undefined ? undefined : parseIp(from);
  if (to === undefined) throw new Error(`${target} is not an IP address`);
  const fixed = Buffer.alloc(ROUTE_BYTES);
  fixed.writeUInt8(FAMILIES[to.family], 0);
  fixed.writeUInt8(to.family === 4 ? 32 : 128, 1);
  const attributes = [attribute(RTA_DST, bytesOf(to))];
  if (source !== undefined) {
    fixed.writeUInt8(source.family === 4 ? 32 : 128, 2);
    attributes.push(attribute(RTA_SRC, bytesOf(source)));
  }
  return [fixed, attributes];
};

/** Undefined for a route that is not to one host. */
const routeIn = (answer: Buffer): Route | undefined => {
  if (answer.length < ROUTE_BYTES || !FORWARDABLE.has(answer.readUInt8(TYPE_AT))) return undefined;
  const attributes = attributesOf(answer, ROUTE_BYTES);
  const index = attributes.get(RTA_OIF);
  const source = attributes.get(RTA_PREFSRC);
  if (index?.length !== 4) return undefined;
  const isAddress = source?.length === 4 || source?.length === 16;
  return { interface: index.readUInt32LE(0), source: isAddress ? textOfBytes(source, 0, source.length) : undefined };
};

/** @throws Error if no netlink socket can be opened. */
export const openRoutes = (): Routes => {
  const netlink = openNetlink("route");
  const ask = (target: string, from?: string): Route | undefined => {
    const answer = netlink.ask(RTM_GETROUTE, ...requestFor(target, from));
    return answer && routeIn(answer);
  };
  return {
    to(target, from) {
      const own = ask(target, from);
      if (own !== undefined) return { interface: own.interface, source: from };
      const other = ask(target);
      return other?.source === undefined ? undefined : { interface: other.interface, source: other.source };
    },
    close: () => netlink.close(),
  };
};
