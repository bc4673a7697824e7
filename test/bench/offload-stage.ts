/**
 * Where `bench:offload` runs: three networks in a row, client, relay and peer, joined by veth pairs; or one network, in which all
 * three are on `lo`. The peer drops what arrives, and counts it. The networks end with this process.
 */
import { spawnSync } from "node:child_process";
import { networkOf, openNetwork, run, type Network } from "../cluster/nodes/wire.ts";

const CLIENT = "10.1.0.2";
export const RELAY = "10.1.0.1";
export const RELAY_TO_PEER = "10.2.0.1";
export const PEER = "10.2.0.2";

export interface Stage {
  readonly client: Network;
  readonly relay: Network;
  readonly peer: Network;
  /** The client's interface, and its address. */
  readonly link: string;
  readonly address: string;
  /** Hardware addresses of the client's interface and of the relay's interface towards it, 6 bytes each. */
  readonly macs: { readonly client: Buffer; readonly relay: Buffer };
  /** Packets that reached the peer. */
  received(): number;
  close(): Promise<void>;
}

/** For packets that the program passes at the first look: a protocol for experiments (RFC 3692). */
export const OTHER_PROTOCOL = 253;

const DROP = `table ip bench {
  counter arrived { }
  chain in {
    type filter hook prerouting priority -300;
    ip daddr ${PEER} meta l4proto { udp, ${OTHER_PROTOCOL} } counter name arrived drop;
  }
}
`;

const macOf = (network: Network, link: string): Buffer => {
  const [{ address }] = JSON.parse(run(network.inside(["ip", "-j", "link", "show", link]))) as [{ address: string }];
  return Buffer.from(address.replaceAll(":", ""), "hex");
};

const dropAtPeer = ({ pid }: Network): void => {
  const { status, stderr } = spawnSync("nsenter", [`--net=/proc/${pid}/ns/net`, "nft", "-f", "-"], {
    input: DROP,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`nft: ${stderr}`);
};

const receivedBy = (network: Network): number => {
  const text = run(network.inside(["nft", "-j", "list", "counter", "ip", "bench", "arrived"]));
  const { nftables } = JSON.parse(text) as { nftables: readonly { counter?: { packets: number } }[] };
  return nftables.find(({ counter }) => counter !== undefined)?.counter?.packets ?? Number.NaN;
};

const openVeth = async (): Promise<Stage> => {
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
  dropAtPeer(peer);
  return {
    client,
    relay,
    peer: networkOf(peer.pid),
    link: "eth0",
    address: CLIENT,
    macs: { client: macOf(client, "eth0"), relay: macOf(relay, "client0") },
    received: () => receivedBy(peer),
    async close() {
      await Promise.all(networks.map((network) => network.close()));
    },
  };
};

const openLoopback = async (): Promise<Stage> => {
  const network = await openNetwork();
  for (const address of [RELAY, RELAY_TO_PEER, PEER])
    run(network.inside(["ip", "address", "add", `${address}/32`, "dev", "lo"]));
  // The load sends from an address of this network.
  run(network.inside(["sh", "-c", "cd /proc/sys/net/ipv4/conf; echo 1 > lo/accept_local; echo 0 > all/rp_filter"]));
  dropAtPeer(network);
  return {
    client: network,
    relay: network,
    peer: network,
    link: "lo",
    address: RELAY,
    macs: { client: Buffer.alloc(6), relay: Buffer.alloc(6) },
    received: () => receivedBy(network),
    close: () => network.close(),
  };
};

/** @param kind `veth`: three networks. `lo`: one. */
export const openStage = (kind: "veth" | "lo"): Promise<Stage> => (kind === "veth" ? openVeth() : openLoopback());
