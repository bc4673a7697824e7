/**
 * Three networks in a row for `bench:offload`: client, relay, peer, joined by veth pairs. The peer drops what arrives, and
 * counts it. All of them end with this process.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { networkOf, openNetwork, run, type Network } from "../cluster/nodes/wire.ts";

export const CLIENT = "10.1.0.2";
export const RELAY = "10.1.0.1";
export const RELAY_TO_PEER = "10.2.0.1";
export const PEER = "10.2.0.2";

export interface Stage {
  readonly client: Network;
  readonly relay: Network;
  readonly peer: Network;
  /** Hardware addresses of the client's interface and of the relay's interface towards it, 6 bytes each. */
  readonly macs: { readonly client: Buffer; readonly relay: Buffer };
  /** Packets that reached the peer's interface. */
  received(): number;
  close(): Promise<void>;
}

const DROP = "table ip bench { chain in { type filter hook prerouting priority -300; meta l4proto udp drop; }; }\n";

const macOf = (network: Network, link: string): Buffer => {
  const [{ address }] = JSON.parse(run(network.inside(["ip", "-j", "link", "show", link]))) as [{ address: string }];
  return Buffer.from(address.replaceAll(":", ""), "hex");
};

export const openStage = async (): Promise<Stage> => {
  const networks = await Promise.all([openNetwork(), openNetwork(), openNetwork()]);
  const [client, relay, peer] = networks;
  const inside = (network: Network, ...command: readonly string[]): string => run(network.inside(command));
  const join = (outer: Network, address: string, link: string, address2: string): void => {
    const pid = String(relay.pid);
    inside(outer, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", link, "netns", pid);
    inside(outer, "ip", "address", "add", `${address}/24`, "dev", "eth0");
    inside(relay, "ip", "address", "add", `${address2}/24`, "dev", link);
    inside(outer, "ip", "link", "set", "eth0", "up");
    inside(relay, "ip", "link", "set", link, "up");
    inside(outer, "ip", "route", "add", "default", "via", address2);
  };
  join(client, CLIENT, "client0", RELAY);
  join(peer, PEER, "peer0", RELAY_TO_PEER);
  // The baseline: the same packets, forwarded by the relay's network without a relay.
  inside(relay, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
  const { status, stderr } = spawnSync("nsenter", [`--net=/proc/${peer.pid}/ns/net`, "nft", "-f", "-"], {
    input: DROP,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`nft: ${stderr}`);
  return {
    client,
    relay,
    peer: networkOf(peer.pid),
    macs: { client: macOf(client, "eth0"), relay: macOf(relay, "client0") },
    received() {
      const text = readFileSync(`/proc/${peer.pid}/net/dev`, "utf8");
      return Number(/eth0:\s*\d+\s+(\d+)/.exec(text)?.[1]);
    },
    async close() {
      await Promise.all(networks.map((network) => network.close()));
    },
  };
};
