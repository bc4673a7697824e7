/**
 * What is between the servers and the load of `bench:relay`: `lo`, or a veth pair to a network of the load's own, with and
 * without GRO (the kernel merges packets of a flow that arrive together). The networks end with this process.
 */
import { openNetwork, run } from "../cluster/nodes/wire.ts";
import { whereIs } from "../cluster/process.ts";
import { enterOwnNetwork } from "../support/network.ts";

export const links = ["lo", "veth", "veth-gro"] as const;
export type LinkName = (typeof links)[number];

export interface Link {
  /** Where servers listen and relay. */
  readonly server: string;
  /** Addresses of the load. */
  readonly load: readonly [string, string];
  /** A command of the load, to be run where it is. */
  asLoad(command: readonly string[]): readonly string[];
  close(): Promise<void>;
}

const SERVER = "10.1.0.1";
const LOAD = ["10.1.0.2", "10.1.0.3"] as const;

export const loopback: Link = {
  server: "127.0.0.1",
  load: ["127.0.0.1", "127.0.0.2"],
  asLoad: (command) => command,
  close: async () => undefined,
};

const openVeth = async (hasGro: boolean): Promise<Link> => {
  if (hasGro && whereIs("ethtool") === undefined)
    throw new Error("missing: ethtool; on Debian: sudo apt-get install ethtool");
  enterOwnNetwork();
  const network = await openNetwork();
  const inLoad = (...command: readonly string[]): void => void run(network.inside(command));
  run(["ip", "link", "add", "load", "type", "veth", "peer", "name", "eth0", "netns", String(network.pid)]);
  run(["ip", "address", "add", `${SERVER}/24`, "dev", "load"]);
  run(["ip", "link", "set", "load", "up"]);
  for (const address of LOAD) inLoad("ip", "address", "add", `${address}/24`, "dev", "eth0");
  inLoad("ip", "link", "set", "eth0", "up");
  if (hasGro) {
    run(["ethtool", "-K", "load", "gro", "on"]);
    inLoad("ethtool", "-K", "eth0", "gro", "on");
  }
  return { server: SERVER, load: LOAD, asLoad: (command) => network.inside(command), close: () => network.close() };
};

/** Before anything of this process uses the network. @throws without Linux or root, except for `lo`. */
export const openLink = (name: LinkName): Promise<Link> =>
  name === "lo" ? Promise.resolve(loopback) : openVeth(name === "veth-gro");
