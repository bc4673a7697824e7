/** A client outside: a network that reaches nodes, and through them what load balancers stand for; no pod, no Service. */
import type { Closable } from "./nodes.ts";
import { FLAG, openNetwork, OUTSIDE, run, type Addresses, type FamilyName, type Network, type Wire } from "./wire.ts";

export interface Outside extends Network, Closable {
  readonly addresses: Addresses;
  /** Packets for `address` go to one of `nodes`, by flow; to none if there are none. */
  route(address: string, nodes: readonly Addresses[]): void;
  /** What is sent to `external` arrives at `internal`, and what comes from there seems to come from `external`. */
  translate(external: string, internal: string): void;
}

const familyOf = (address: string): FamilyName => (address.includes(":") ? "v6" : "v4");
const lengthOf = { v4: 32, v6: 128 } as const;

/** What leads packets for `address` over `link` to one of `nodes`, by flow; to none if there are none. */
export const routeCommand = (address: string, nodes: readonly Addresses[], link: string): readonly string[] => {
  const family = familyOf(address);
  const target = `${address}/${lengthOf[family]}`;
  const hops = nodes.flatMap((node) => ["nexthop", "via", node[family], "dev", link, "onlink"]);
  return hops.length > 0
    ? ["ip", FLAG[family], "route", "replace", target, ...hops]
    : ["ip", FLAG[family], "route", "replace", "unreachable", target];
};

/** As a cloud's gateway does it; here, where packets leave and arrive. */
const TRANSLATION = `
add table inet translation
add chain inet translation leaving { type nat hook output priority -100; }
add chain inet translation arriving { type nat hook input priority 100; }`;

export const openOutside = async (
  wire: Wire,
  families: readonly FamilyName[],
  nodes: readonly Addresses[],
): Promise<Outside> => {
  const network = await openNetwork();
  const addresses = wire.at(OUTSIDE);
  const inside = (...command: readonly string[]): string => run(network.inside(command));
  try {
    wire.plugOnly("outside", network.pid, OUTSIDE, families, nodes);
    // The Internet, where nobody answers: Firefox takes the address that would lead there.
    inside("ip", "link", "add", "internet", "type", "veth", "peer", "name", "nobody");
    for (const end of ["internet", "nobody"]) inside("ip", "link", "set", end, "up");
    for (const family of families) inside("ip", FLAG[family], "route", "add", "default", "dev", "internet");
    const set = (file: string, value: number): string => inside("sh", "-c", `echo ${value} > /proc/sys/net/${file}`);
    for (const family of ["ipv4", "ipv6"]) {
      set(`${family}/fib_multipath_hash_policy`, 1);
      // A node that does not have a Service's rules yet sends what comes for it back to the wire, and tells that the address
      // is on it: whoever believes that takes every other flow to it away from its node.
      for (const link of ["all", "eth0"]) set(`${family}/conf/${link}/accept_redirects`, 0);
    }
  } catch (error) {
    await network.close();
    throw error;
  }
  return {
    ...network,
    addresses,
    translate(external, internal) {
      const family = familyOf(external) === "v6" ? "ip6" : "ip";
      const rules = [
        `add rule inet translation leaving ${family} daddr ${external} dnat ${family} to ${internal}`,
        `add rule inet translation arriving ${family} saddr ${internal} snat ${family} to ${external}`,
      ];
      inside("nft", [TRANSLATION, ...rules].join("\n"));
    },
    route: (address, to) => void inside(...routeCommand(address, to, "eth0")),
  };
};
