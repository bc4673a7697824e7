/**
 * The flow table: the state of the packet path. Control code installs and removes flows; an engine looks them up for each
 * packet and updates their counters. Nothing here parses STUN, and nothing on the packet path allocates.
 */
import type { DropCode } from "../reasons.ts";
import type { WireAddress, TransportAddress } from "../net/address.ts";
import type { Family } from "../net/ip.ts";
import type { Bandwidth } from "./bandwidth.ts";

/** Mutable counters. `in`: from clients; `out`: to clients. */
export interface Traffic {
  bytesIn: number;
  bytesOut: number;
  packetsIn: number;
  packetsOut: number;
}

export const noTraffic = (): Traffic => ({ bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 });

/** Why the packet path dropped a packet. */
export const dropReasons = [
  "not-stun",
  "no-allocation",
  "no-channel",
  "no-permission",
  "not-admitted",
  "channel-data-length",
  "send-indication",
  "send-attributes",
  "client-backlog",
  "socket-backlog",
  "too-long",
  "dont-fragment",
  "user-bandwidth",
  "listener-bandwidth",
  "unsendable",
  "no-descriptors",
] as const satisfies readonly DropCode[];
export type DropReason = (typeof dropReasons)[number];
export type Drops = { [reason in DropReason]: number };
export const noDrops = (): Drops => Object.fromEntries(dropReasons.map((reason) => [reason, 0])) as Drops;

/** The way back to a client, one for each five-tuple. */
export interface ClientPath {
  readonly protocol: "udp" | "tcp" | "tls" | "dtls";
  readonly client: WireAddress;
  readonly server: TransportAddress;
  /** Its datagrams have PROXY headers, and come and go through another address. */
  readonly isProxied?: boolean;
  /**
   * Sends one message, bytes `start` to `end` of `bytes`. Afterwards only the engine that they came from may touch them.
   * `media` may be dropped if the client is slow; then this returns false.
   */
  send(bytes: Buffer, start: number, end: number, media: boolean): boolean;
}

/** A socket on a relayed transport address. */
export interface RelayPort {
  readonly family: Family;
  readonly address: string;
  readonly port: number;
  /** Passes peers' packets to `flow` from here on. */
  attach(flow: Flow): void;
  /**
   * Sends bytes `start` to `end` of `bytes`. Afterwards only the engine that they came from may touch them. `whole`: with
   * the DF bit set; only for engines that support it.
   */
  send(bytes: Buffer, start: number, end: number, peer: PeerFlow, whole: boolean): void;
  close(): void;
}

/** One peer (address and port) of one flow, and whether it may be reached. */
export interface PeerFlow extends WireAddress {
  /** The address in plain form, as in an XOR-PEER-ADDRESS attribute without the XOR: 4 or 16 bytes, of memory that nothing else shares. */
  readonly bytes: Uint8Array;
  readonly relay: RelayPort;
  /** The counters for packets of the cluster that admits it. */
  cluster: Traffic;
  /** The channel bound to this peer; 0 for none. */
  channel: number;
  /** Whether the peer has a permission and is admitted, as of `generation`. */
  open: boolean;
  closedBecause: "no-permission" | "not-admitted";
  generation: number;
}

/** A channel: a number that stands for one peer on one allocation (RFC 8656 §12). */
export interface Channel {
  readonly number: number;
  readonly flow: PeerFlow;
  /** Milliseconds of the monotonic clock. */
  expiresAt: number;
}

const hasWords = (at: WireAddress, w0: number, w1: number, w2: number, w3: number): boolean =>
  at.w3 === w3 && at.w0 === w0 && at.w1 === w1 && at.w2 === w2;

/** Few peers are searched one by one; more than this have a table by port. */
const FEW_PEERS = 8;
const NO_PEERS: readonly PeerFlow[] = [];

/** The peers of a flow. Most allocations have one or two peers, and there are many allocations. */
export class PeerTable {
  #few: readonly PeerFlow[] = NO_PEERS;
  #byPort: Map<number, PeerFlow[]> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Candidates for `port`: all peers that have it, and possibly others. */
  candidates(port: number): readonly PeerFlow[] {
    return this.#byPort === undefined ? this.#few : (this.#byPort.get(port) ?? NO_PEERS);
  }

  add(peer: PeerFlow): void {
    this.#size++;
    if (this.#byPort !== undefined) this.#file(this.#byPort, peer);
    else if (this.#few.length < FEW_PEERS) this.#few = this.#few.concat(peer);
    else {
      this.#byPort = new Map();
      for (const one of [...this.#few, peer]) this.#file(this.#byPort, one);
      this.#few = NO_PEERS;
    }
  }

  clear(): void {
    this.#few = NO_PEERS;
    this.#byPort = undefined;
    this.#size = 0;
  }

  *[Symbol.iterator](): Iterator<PeerFlow> {
    yield* this.#few;
    for (const peers of this.#byPort?.values() ?? []) yield* peers;
  }

  #file(byPort: Map<number, PeerFlow[]>, peer: PeerFlow): void {
    const present = byPort.get(peer.port);
    if (present === undefined) byPort.set(peer.port, [peer]);
    else present.push(peer);
  }
}

/** Knows more of a flow's peers than the flow does. */
export interface FlowOwner {
  /** Makes the entry of a peer that was not seen before; undefined for an unknown peer. */
  meet(address: string, port: number): PeerFlow | undefined;
  /** Renews the verdict on a peer from an older generation. */
  revalidate(peer: PeerFlow): void;
}

/** What packets of one allocation need: peers by port and address, channels by number. */
export class Flow {
  readonly path: ClientPath;
  readonly traffic: Traffic;
  readonly listener: Traffic;
  readonly drops: Drops;
  readonly gate: { readonly generation: number };
  /** Whether the engine can set the DF bit. */
  readonly canSetDontFragment: boolean;
  /** Its bandwidth limits; undefined if there is no limit. */
  readonly bandwidth: Bandwidth | undefined;
  readonly channels: Map<number, Channel>;
  /** Found by port, then by comparing addresses: no string is hashed for a packet. */
  readonly peers: PeerTable;
  /** Called after data of the client; undefined except until the first data from an announced path. */
  arrived: (() => void) | undefined = undefined;
  readonly #owner: FlowOwner;

  /** @param shared whose counters, channels and peers it has. */
  constructor(
    path: ClientPath,
    listener: Traffic,
    drops: Drops,
    gate: { readonly generation: number },
    owner: FlowOwner,
    canSetDontFragment = false,
    bandwidth?: Bandwidth,
    shared?: Flow,
  ) {
    this.traffic = shared?.traffic ?? noTraffic();
    this.channels = shared?.channels ?? new Map<number, Channel>();
    this.peers = shared?.peers ?? new PeerTable();
    this.canSetDontFragment = canSetDontFragment;
    this.bandwidth = bandwidth;
    this.path = path;
    this.listener = listener;
    this.drops = drops;
    this.gate = gate;
    this.#owner = owner;
  }

  /** The same flow by another path of its client; only the path differs. `arrived` is called after its first data. */
  over(path: ClientPath, arrived: () => void): Flow {
    const { listener, drops, gate, canSetDontFragment, bandwidth } = this;
    const flow = new Flow(path, listener, drops, gate, this.#owner, canSetDontFragment, bandwidth, this);
    flow.arrived = arrived;
    return flow;
  }

  /** The entry for a peer, with an up-to-date verdict. */
  peer(address: string, port: number): PeerFlow | undefined {
    const candidates = this.peers.candidates(port);
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[index];
      if (candidate !== undefined && candidate.port === port && candidate.address === address)
        return this.fresh(candidate);
    }
    return this.#owner.meet(address, port);
  }

  /** As `peer`, by the address bytes that start at `offset` of `bytes`, each XORed with those that start at `pad`. */
  peerByBytes(bytes: Buffer, offset: number, pad: number, length: number, port: number): PeerFlow | undefined {
    const candidates = this.peers.candidates(port);
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[index];
      if (candidate === undefined || candidate.port !== port || candidate.bytes.length !== length) continue;
      let at = 0;
      while (at < length && ((bytes[offset + at] ?? 0) ^ (bytes[pad + at] ?? 0)) === candidate.bytes[at]) at++;
      if (at === length) return this.fresh(candidate);
    }
    return undefined;
  }

  /** As `peer`, by words; undefined if a string would have to be made of them. */
  peerByWords(w0: number, w1: number, w2: number, w3: number, port: number): PeerFlow | undefined {
    const candidates = this.peers.candidates(port);
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[index];
      if (candidate !== undefined && candidate.port === port && hasWords(candidate, w0, w1, w2, w3))
        return this.fresh(candidate);
    }
    return undefined;
  }

  fresh(peer: PeerFlow): PeerFlow {
    if (peer.generation !== this.gate.generation) this.#owner.revalidate(peer);
    return peer;
  }

  /** Invalidates verdicts on peers at `address`. */
  invalidate(address: string): void {
    for (const peer of this.peers) if (peer.address === address) peer.generation = -1;
  }
}

/** Flows of the clients of one socket, by client port and then by comparing addresses. */
export class FlowTable {
  readonly #flows = new Map<number, Flow[]>();

  /** @param from our own address, on a wildcard port. */
  find(address: string, port: number, from?: string): Flow | undefined {
    const candidates = this.#flows.get(port);
    if (candidates === undefined) return undefined;
    for (let index = 0; index < candidates.length; index++) {
      const client = candidates[index]?.path.client;
      if (client !== undefined && client.address === address && client.from?.address === from) return candidates[index];
    }
    return undefined;
  }

  findWords(w0: number, w1: number, w2: number, w3: number, port: number): Flow | undefined {
    const candidates = this.#flows.get(port);
    if (candidates === undefined) return undefined;
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[index];
      if (candidate !== undefined && hasWords(candidate.path.client, w0, w1, w2, w3)) return candidate;
    }
    return undefined;
  }

  /** As `findWords`, on a wildcard port: selects the client's flow of our own address. */
  findBetween(
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    port: number,
    o0: number,
    o1: number,
    o2: number,
    o3: number,
  ): Flow | undefined {
    const candidates = this.#flows.get(port);
    if (candidates === undefined) return undefined;
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[index];
      if (candidate === undefined || !hasWords(candidate.path.client, w0, w1, w2, w3)) continue;
      const { from } = candidate.path.client;
      if (from !== undefined && hasWords(from, o0, o1, o2, o3)) return candidate;
    }
    return undefined;
  }

  install(flow: Flow): void {
    const candidates = this.#flows.get(flow.path.client.port);
    if (candidates === undefined) this.#flows.set(flow.path.client.port, [flow]);
    else candidates.push(flow);
  }

  remove(flow: Flow): void {
    const { port } = flow.path.client;
    const rest = (this.#flows.get(port) ?? []).filter((candidate) => candidate !== flow);
    if (rest.length === 0) this.#flows.delete(port);
    else this.#flows.set(port, rest);
  }
}
