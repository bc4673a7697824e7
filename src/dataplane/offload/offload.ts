/**
 * The channels that the kernel forwards. A change takes effect in the kernel before the call that makes it returns. Kernel
 * counters are added to the same counters that user space uses.
 */
import { wireAddressOf } from "../../net/address.ts";
import type { Channel, Flow, Traffic } from "../flows.ts";
import { BpfError, loadBpf } from "./bpf.ts";
import { FlowMap, type FlowCounters, type FlowMapHandle, type Hop } from "./flow-map.ts";
import { openRoutes, type Routes } from "./routes.ts";

/** What the relays of a process share: the flow map, and the interfaces that the program is attached to. */
export interface OffloadHandle extends FlowMapHandle {
  readonly attached: readonly number[];
}

/** Why user space forwards a channel although offload is active. */
export const userSpaceReasons = {
  transport: "the client does not use UDP",
  proxied: "the client's datagrams come through a load balancer, with PROXY headers",
  bandwidth: "its bandwidth is limited",
  "not-admitted": "the peer is not admitted",
  route: "there is no route to the client or the peer",
  interface: "the program is not attached to the interface of the client or the peer",
  full: "the flow map is full",
  rejected: "the kernel rejected the flow, for example for lack of memory",
} as const;
export type UserSpaceReason = keyof typeof userSpaceReasons;

/** `in`: from the client; `out`: to it. */
export interface Counted {
  readonly in: FlowCounters;
  readonly out: FlowCounters;
}

/** A channel that the kernel forwards. */
interface Forwarded {
  readonly id: number;
  readonly flow: Flow;
  readonly channel: Channel;
  readonly fromClient: Hop;
  readonly fromPeer: Hop;
  /** Already added to the counters of the relay. */
  readonly counted: { in: FlowCounters; out: FlowCounters };
}

const NOTHING: FlowCounters = { packets: 0, bytes: 0, seenAt: 0 };
const directions = ["in", "out"] as const;

const addTo = (traffic: Traffic, direction: "in" | "out", packets: number, bytes: number): void => {
  if (direction === "in") {
    traffic.packetsIn += packets;
    traffic.bytesIn += bytes;
  } else {
    traffic.packetsOut += packets;
    traffic.bytesOut += bytes;
  }
};

export class Offload {
  readonly handle: OffloadHandle;
  readonly #owner: number;
  readonly #flows: FlowMap;
  readonly #routes: Routes;
  readonly #attached: ReadonlySet<number>;
  readonly #forwarded = new Map<Channel, Forwarded>();
  readonly #byId = new Map<number, Forwarded>();
  readonly #inUserSpace = new Map<Channel, UserSpaceReason>();
  #lastId = 0;

  /** @param owner distinguishes the relays of a process. @throws Error on platforms without bpf(2). */
  constructor(handle: OffloadHandle, owner: number) {
    this.handle = handle;
    this.#owner = owner;
    this.#flows = new FlowMap(loadBpf(), handle);
    this.#routes = openRoutes();
    this.#attached = new Set(handle.attached);
  }

  /** Whether the kernel forwards `channel`. */
  has(channel: Channel): boolean {
    return this.#forwarded.has(channel);
  }

  /** Kernel counters of `channel` as of the last `collect`; undefined if the kernel does not forward it. */
  counted(channel: Channel): Counted | undefined {
    return this.#forwarded.get(channel)?.counted;
  }

  /** Why user space forwards `channel`. */
  userSpaceReasonOf(channel: Channel): UserSpaceReason | undefined {
    return this.#inUserSpace.get(channel);
  }

  /** Lets the kernel forward `channel` of `flow`, if it qualifies. */
  install(flow: Flow, channel: Channel): void {
    if (this.#forwarded.has(channel)) return;
    const reason = this.#tryInstall(flow, channel);
    if (reason === undefined) this.#inUserSpace.delete(channel);
    else this.#inUserSpace.set(channel, reason);
  }

  /** Stops forwarding `channel` in the kernel. No packet is forwarded once this returns. */
  remove(channel: Channel): void {
    const forwarded = this.#forwarded.get(channel);
    if (forwarded === undefined) return;
    this.#forwarded.delete(channel);
    this.#byId.delete(forwarded.id);
    this.#count(forwarded, "in", this.#flows.remove(forwarded.fromClient));
    this.#count(forwarded, "out", this.#flows.remove(forwarded.fromPeer));
  }

  /** The same, for a channel whose peer is not admitted at present. */
  suspend(channel: Channel): void {
    this.remove(channel);
    this.#inUserSpace.set(channel, "not-admitted");
  }

  /** The same, for a channel that no longer exists. */
  forget(channel: Channel): void {
    this.remove(channel);
    this.#inUserSpace.delete(channel);
  }

  /** Adds what the kernel forwarded since the last call to the counters of the relay. */
  collect(): void {
    if (this.#forwarded.size === 0) return;
    for (const entry of this.#flows.entriesOf(this.#owner)) {
      const forwarded = this.#byId.get(Math.floor(entry.id / 2));
      if (forwarded !== undefined) this.#count(forwarded, directions[entry.id % 2] ?? "in", entry);
    }
  }

  close(): void {
    for (const channel of this.#forwarded.keys()) this.remove(channel);
    this.#inUserSpace.clear();
    this.#routes.close();
  }

  #count({ flow, channel, counted }: Forwarded, direction: "in" | "out", now: FlowCounters | undefined): void {
    if (now === undefined) return;
    const before = counted[direction];
    const packets = now.packets - before.packets;
    const bytes = now.bytes - before.bytes;
    counted[direction] = { packets: now.packets, bytes: now.bytes, seenAt: now.seenAt };
    for (const traffic of [flow.traffic, flow.listener, channel.flow.cluster])
      addTo(traffic, direction, packets, bytes);
  }

  #tryInstall(flow: Flow, channel: Channel): UserSpaceReason | undefined {
    const { path, bandwidth } = flow;
    const { flow: peer, number } = channel;
    if (path.protocol !== "udp") return "transport";
    if (path.isProxied === true) return "proxied";
    if (bandwidth !== undefined) return "bandwidth";
    const toPeer = this.#routes.to(peer.address, peer.relay.address);
    const toClient = this.#routes.to(path.client.address, path.server.address);
    if (toPeer === undefined || toClient === undefined) return "route";
    if (!this.#attached.has(toPeer.interface) || !this.#attached.has(toClient.interface)) return "interface";
    const { client } = path;
    const server = wireAddressOf(path.server);
    const relayed = wireAddressOf({ address: toPeer.source, port: peer.relay.port });
    const fromClient: Hop = { source: client, target: server, channel: number };
    const fromPeer: Hop = { source: peer, target: relayed, channel: 0 };
    const id = (this.#lastId += 1);
    const owner = this.#owner;
    try {
      this.#flows.insert({
        from: fromClient,
        to: { source: relayed, target: peer, channel: 0 },
        isIpv6: peer.relay.family === 6,
        interface: toPeer.interface,
        owner,
        id: 2 * id,
      });
      this.#flows.insert({
        from: fromPeer,
        to: { source: server, target: client, channel: number },
        isIpv6: client.address.includes(":"),
        interface: toClient.interface,
        owner,
        id: 2 * id + 1,
      });
    } catch (error) {
      this.#flows.remove(fromClient);
      if (error instanceof BpfError) return error.code === "E2BIG" ? "full" : "rejected";
      throw error;
    }
    const forwarded: Forwarded = { id, flow, channel, fromClient, fromPeer, counted: { in: NOTHING, out: NOTHING } };
    this.#byId.set(id, forwarded);
    this.#forwarded.set(channel, forwarded);
    return undefined;
  }
}
