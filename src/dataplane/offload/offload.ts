/**
 * Which channels the kernel forwards. Whoever changes a channel says so here, and before that call returns the kernel knows;
 * what it forwarded is added to the counters that user space counts on.
 */
import { wireAddressOf } from "../../net/address.ts";
import type { Channel, Flow, Traffic } from "../flows.ts";
import { BpfError, loadBpf } from "./bpf.ts";
import { FlowMap, type FlowCounters, type Hop } from "./flow-map.ts";
import { openRoutes, type Routes } from "./routes.ts";

/** What every relay of a process has of the program: descriptors, and numbers of interfaces. */
export interface OffloadHandle {
  readonly flows: number;
  readonly attached: readonly number[];
}

/** Why packets of a channel stay in user space. */
export const staysBecause = {
  transport: "its client is not there over UDP",
  bandwidth: "its bandwidth is limited",
  refused: "its peer is not admitted",
  route: "no route leads to its client or its peer",
  interface: "its client or its peer is reached by an interface that the program is not attached to",
  full: "the kernel's table of flows is full",
} as const;
export type StaysBecause = keyof typeof staysBecause;

/** `in`: from the client; `out`: to it. */
export interface Counted {
  readonly in: FlowCounters;
  readonly out: FlowCounters;
}

/** A channel whose packets the kernel forwards. */
interface Forwarded {
  readonly id: number;
  readonly flow: Flow;
  readonly channel: Channel;
  readonly fromClient: Hop;
  readonly fromPeer: Hop;
  /** What is in the relay's counters already. */
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
  readonly #staying = new Map<Channel, StaysBecause>();
  #lastId = 0;

  /** @param owner of the flows: what tells those of several relays apart. @throws where this machine has no such calls. */
  constructor(handle: OffloadHandle, owner: number) {
    this.handle = handle;
    this.#owner = owner;
    this.#flows = new FlowMap(loadBpf(), handle.flows);
    this.#routes = openRoutes();
    this.#attached = new Set(handle.attached);
  }

  /** Whether the kernel forwards what `channel` carries. */
  has(channel: Channel): boolean {
    return this.#forwarded.has(channel);
  }

  /** What the kernel has forwarded of `channel`, as of the last `collect`; nothing where it does not. */
  counted(channel: Channel): Counted | undefined {
    return this.#forwarded.get(channel)?.counted;
  }

  /** Why the kernel does not. */
  staysBecause(channel: Channel): StaysBecause | undefined {
    return this.#staying.get(channel);
  }

  /** Has the kernel forward what `channel` of `flow` carries, if it may. */
  take(flow: Flow, channel: Channel): void {
    if (this.#forwarded.has(channel)) return;
    const because = this.#install(flow, channel);
    if (because === undefined) this.#staying.delete(channel);
    else this.#staying.set(channel, because);
  }

  /** From when this returns on, the kernel forwards no packet of `channel`. */
  give(channel: Channel): void {
    const forwarded = this.#forwarded.get(channel);
    if (forwarded === undefined) return;
    this.#forwarded.delete(channel);
    this.#byId.delete(forwarded.id);
    this.#count(forwarded, "in", this.#flows.take(forwarded.fromClient));
    this.#count(forwarded, "out", this.#flows.take(forwarded.fromPeer));
  }

  /** As `give`, of a channel whose peer is not admitted at the moment. */
  refuse(channel: Channel): void {
    this.give(channel);
    this.#staying.set(channel, "refused");
  }

  /** As `give`, of a channel that is gone. */
  forget(channel: Channel): void {
    this.give(channel);
    this.#staying.delete(channel);
  }

  /** Brings the relay's counters up to date. */
  collect(): void {
    if (this.#forwarded.size === 0) return;
    for (const entry of this.#flows.entriesOf(this.#owner)) {
      const forwarded = this.#byId.get(Math.floor(entry.id / 2));
      if (forwarded !== undefined) this.#count(forwarded, directions[entry.id % 2] ?? "in", entry);
    }
  }

  close(): void {
    for (const channel of this.#forwarded.keys()) this.give(channel);
    this.#staying.clear();
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

  #install(flow: Flow, channel: Channel): StaysBecause | undefined {
    const { path, bandwidth } = flow;
    const { flow: peer, number } = channel;
    if (path.protocol !== "udp") return "transport";
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
      this.#flows.put({
        from: fromClient,
        to: { source: relayed, target: peer, channel: 0 },
        isIpv6: peer.relay.family === 6,
        interface: toPeer.interface,
        owner,
        id: 2 * id,
      });
      this.#flows.put({
        from: fromPeer,
        to: { source: server, target: client, channel: number },
        isIpv6: client.address.includes(":"),
        interface: toClient.interface,
        owner,
        id: 2 * id + 1,
      });
    } catch (error) {
      this.#flows.take(fromClient);
      if (error instanceof BpfError && error.code === "E2BIG") return "full";
      throw error;
    }
    const forwarded: Forwarded = { id, flow, channel, fromClient, fromPeer, counted: { in: NOTHING, out: NOTHING } };
    this.#byId.set(id, forwarded);
    this.#forwarded.set(channel, forwarded);
    return undefined;
  }
}
