/** An allocation: relayed transport addresses for one five-tuple, and what it may reach (RFC 8656 §5). */
import { wallTimeOf } from "../clock.ts";
import { wordsOfBytes, type TransportAddress } from "../net/address.ts";
import { bytesOf, parseIp, type Family, type Ip } from "../net/ip.ts";
import type { Denial, Verdict } from "../admission/admission.ts";
import type { PeerProtocol } from "../admission/transition.ts";
import type { Bandwidth } from "./bandwidth.ts";
import {
  Flow,
  noTraffic,
  type Channel,
  type Drops,
  type FlowOwner,
  type PeerFlow,
  type RelayPort,
  type Traffic,
} from "./flows.ts";
import { channelSeconds, permissionSeconds, retransmissionSeconds } from "./lifetimes.ts";
import { maxChannels, maxPeers, type Limits } from "./limits.ts";
import type { ListenerPath } from "./listeners/listener.ts";
import { PeerConnectionTable } from "./peer-connection-table.ts";
import type { Offload } from "./offload/offload.ts";
import type { RelayedPorts } from "./relayed-ports.ts";
import type { PermissionIndex } from "./permission-index.ts";
import type { Attribute } from "../stun/message.ts";
import { TcpRelay } from "./tcp-relay.ts";
import { Usage } from "./usage.ts";
import type { Users } from "./users.ts";

/**
 * Who made the allocation. These credentials stay valid for it whatever the config says later: no call is lost to a config
 * change.
 */
export interface Owner {
  readonly username: string;
  /** The account, for logs and comparisons: the user, or the whole username if it names no user. */
  readonly userId: string;
  /** The key of quotas and limits. */
  readonly account: string;
  readonly realm: string;
  readonly password: string;
}

/** A permission: one IP address that one allocation may exchange packets with (RFC 8656 §9). */
export interface Permission {
  readonly allocation: Allocation;
  readonly peer: Ip;
  /** Milliseconds of the monotonic clock. */
  expiresAt: number;
}

/** What an allocation asks of the listener that it is made through. */
export interface AllocationScope {
  readonly gateway: {
    readonly name: string;
    readonly users: Users;
    /** Allocations a user may hold; 0 is unlimited. */
    readonly userQuota: number;
  };
  /** Of the listener. */
  readonly name: string;
  readonly routes: ReadonlySet<string>;
  readonly gate: { readonly generation: number };
  readonly traffic: Traffic;
  readonly drops: Drops;
  readonly limits: Limits;
  /** Lets the kernel forward channels; undefined if offload is off. */
  readonly offload: Offload | undefined;
  /** The limits on the data of a user's allocation. */
  bandwidthOf(owner: Owner): Bandwidth | undefined;
  /** Whether datagrams to peers can be sent with the DF bit set. */
  readonly canSetDontFragment: boolean;
  readonly permissions: PermissionIndex<Permission>;
  readonly relayed: RelayedPorts;
  /** Whether relayed transport addresses are at `address`. */
  isLocal(address: string): boolean;
  /** An allocation ended: adds what it relayed to the counters of a cluster. */
  countClosed(cluster: string, traffic: Traffic): void;
  check(protocol: PeerProtocol, peer: Ip, port?: number): Verdict;
  /** A packet was dropped because its peer is not admitted. */
  refused(allocation: Allocation, peer: string, denial: Denial): void;
}

export type ChannelOutcome = "bound" | "full" | "conflict" | "family";

export interface AllocationOptions {
  readonly id: number;
  readonly path: ListenerPath;
  readonly owner: Owner;
  /** All have the same kind: `TcpRelay` for an allocation that reaches its peers over TCP (RFC 6062). */
  readonly relays: readonly (RelayPort | TcpRelay)[];
  /** The Allocate request: a retransmission of it gets the same answer. */
  readonly made: { readonly transactionId: Uint8Array; readonly response: readonly Attribute[] };
  /** Milliseconds of the monotonic clock, here and below. */
  readonly now: number;
  readonly expiresAt: number;
}

/** Which mobility tickets of an allocation are valid, by their numbers (RFC 8016). */
export interface Mobility {
  newest: number;
  /** Tickets before this one are invalid: the client has used the five-tuple that it moved to with a later one. */
  oldest: number;
  /** The last Refresh with a ticket, and the answer: a retransmission of it gets the same answer. */
  answered: { readonly transactionId: Uint8Array; readonly response: readonly Attribute[] } | undefined;
}

export class Allocation implements FlowOwner {
  readonly id: number;
  path: ListenerPath;
  readonly owner: Owner;
  /** How peers are reached. */
  readonly protocol: PeerProtocol;
  relays: readonly (RelayPort | TcpRelay)[];
  /** The request that made the allocation, and the answer; dropped once the request can no longer be retransmitted. */
  made: { readonly transactionId: Uint8Array; readonly response: readonly Attribute[] } | undefined;
  readonly openedAt: number;
  expiresAt: number;
  flow: Flow;
  readonly usage: Usage;
  /** When its usage is reported next, in milliseconds of the monotonic clock. */
  reportAt = Infinity;
  /** A five-tuple that the client has announced and not used yet: data is accepted from there, too. */
  next: { readonly path: ListenerPath; readonly flow: Flow } | undefined;
  /** Undefined if the client has no ticket. */
  mobility: Mobility | undefined;
  moves = 0;
  readonly permissions = new Map<string, Permission>();
  readonly scope: AllocationScope;
  isClosed = false;
  /** Connections to TCP peers; undefined if the allocation reaches its peers over UDP. */
  readonly connections: PeerConnectionTable | undefined;
  /** Whether any known peer is at an address of this machine. */
  #hasLocalPeers = false;
  /** Nothing of this allocation expires before this time. */
  #dueAt: number;

  constructor(scope: AllocationScope, options: AllocationOptions) {
    this.scope = scope;
    this.id = options.id;
    this.path = options.path;
    this.owner = options.owner;
    this.relays = options.relays;
    this.protocol = options.relays.some((relay) => relay instanceof TcpRelay) ? "TCP" : "UDP";
    this.connections = this.protocol === "TCP" ? new PeerConnectionTable() : undefined;
    this.made = options.made;
    this.openedAt = options.now;
    this.usage = new Usage(wallTimeOf(options.now));
    this.expiresAt = options.expiresAt;
    this.#dueAt = options.now + retransmissionSeconds * 1000;
    this.flow = new Flow(
      options.path,
      scope.traffic,
      scope.drops,
      scope.gate,
      this,
      scope.canSetDontFragment,
      scope.bandwidthOf(options.owner),
    );
    for (const relay of options.relays) {
      if (relay instanceof TcpRelay) continue;
      scope.relayed.add(relay.family, relay.port);
      relay.attach(this.flow);
    }
    options.path.install(this.flow);
  }

  relayFor(family: Family): RelayPort | TcpRelay | undefined {
    return this.relays.find((relay) => relay.family === family);
  }

  tcpRelayFor(family: Family): TcpRelay | undefined {
    const relay = this.relayFor(family);
    return relay instanceof TcpRelay ? relay : undefined;
  }

  /** Whether a cluster that the listener routes, for peers of this allocation's protocol, admits `peer`. */
  check(peer: Ip, port?: number): Verdict {
    return this.scope.check(this.protocol, peer, port);
  }

  /** By number. A channel carries nothing while its peer has no permission. */
  get channels(): ReadonlyMap<number, Channel> {
    return this.flow.channels;
  }

  channelsTo({ text }: Ip): readonly Channel[] {
    return [...this.channels.values()].filter(({ flow }) => flow.address === text);
  }

  /** Installs or refreshes a permission; false when there are too many. */
  permit(peer: Ip, now: number): boolean {
    const expiresAt = now + permissionSeconds * 1000;
    const present = this.permissions.get(peer.text);
    if (present !== undefined) {
      present.expiresAt = expiresAt;
      return true;
    }
    if (this.permissions.size >= this.scope.limits.maxPermissions) return false;
    const permission: Permission = { allocation: this, peer, expiresAt };
    this.permissions.set(peer.text, permission);
    this.#dueAt = Math.min(this.#dueAt, expiresAt);
    this.scope.permissions.add(permission);
    // Channels outlive permissions (RFC 8656 §12): those to this peer carry data again.
    this.flow.invalidate(peer.text);
    for (const channel of this.channelsTo(peer)) this.#offloadChannel(channel);
    return true;
  }

  /** Whether `permit` would succeed for all of `peers`. */
  hasRoomFor(peers: readonly Ip[]): boolean {
    const added = new Set(peers.map(({ text }) => text).filter((text) => !this.permissions.has(text)));
    return this.permissions.size + added.size <= this.scope.limits.maxPermissions;
  }

  /** Binds or refreshes a channel and the permission of its peer, RFC 8656 §12.2. */
  bind(number: number, peer: Ip, port: number, now: number): ChannelOutcome {
    const present = this.channels.get(number);
    if (present !== undefined && (present.flow.address !== peer.text || present.flow.port !== port)) return "conflict";
    if (this.relayFor(peer.family) === undefined) return "family";
    if (present === undefined && this.channels.size >= maxChannels) return "full";
    if (!this.permit(peer, now)) return "full";
    const expiresAt = now + channelSeconds * 1000;
    if (present !== undefined) {
      present.expiresAt = expiresAt;
      return "bound";
    }
    const flow = this.flow.peer(peer.text, port);
    if (flow === undefined) return "full";
    if (flow.channel !== 0) return "conflict";
    flow.channel = number;
    const channel: Channel = { number, flow, expiresAt };
    this.#dueAt = Math.min(this.#dueAt, expiresAt);
    this.flow.channels.set(number, channel);
    this.#offloadChannel(channel);
    return "bound";
  }

  /** Decides again, for each channel, between the kernel and user space. */
  offloadChannels(): void {
    for (const channel of this.channels.values()) this.#offloadChannel(channel);
  }

  /** Revalidates the peers that the kernel forwards to. User space revalidates peers when it needs them. */
  revalidateOffloaded(): void {
    const { offload } = this.scope;
    if (offload === undefined) return;
    for (const channel of this.channels.values()) if (offload.has(channel)) this.flow.fresh(channel.flow);
  }

  #offloadChannel(channel: Channel): void {
    const { offload } = this.scope;
    if (offload === undefined) return;
    if (this.flow.fresh(channel.flow).open) offload.install(this.flow, channel);
    else offload.suspend(channel);
  }

  unbind(channel: Channel): void {
    this.scope.offload?.forget(channel);
    channel.flow.channel = 0;
    this.flow.channels.delete(channel.number);
  }

  forbid(permission: Permission): void {
    this.permissions.delete(permission.peer.text);
    this.scope.permissions.remove(permission);
    for (const channel of this.channelsTo(permission.peer)) this.scope.offload?.suspend(channel);
    this.flow.invalidate(permission.peer.text);
  }

  /** The earliest time at which the allocation, or part of it, expires, in milliseconds of the monotonic clock. */
  get dueAt(): number {
    return Math.min(this.#dueAt, this.expiresAt);
  }

  /** Removes expired permissions and channels. */
  expire(now: number): void {
    // A port that another client's allocation relayed from may since belong to another program.
    if (this.#hasLocalPeers)
      for (const peer of this.flow.peers) if (this.scope.isLocal(peer.address)) peer.generation = -1;
    if (this.#hasLocalPeers) this.revalidateOffloaded();
    if (now < this.#dueAt) return;
    let dueAt = Infinity;
    if (now >= this.openedAt + retransmissionSeconds * 1000) this.made = undefined;
    else dueAt = this.openedAt + retransmissionSeconds * 1000;
    for (const permission of this.permissions.values())
      if (permission.expiresAt <= now) this.forbid(permission);
      else dueAt = Math.min(dueAt, permission.expiresAt);
    for (const channel of this.channels.values())
      if (channel.expiresAt <= now) this.unbind(channel);
      else dueAt = Math.min(dueAt, channel.expiresAt);
    this.#dueAt = dueAt;
  }

  /** Gives up one of two relayed addresses, RFC 8656 §8.2. */
  closeFamily(family: Family): void {
    for (const channel of this.channels.values()) if (channel.flow.relay.family === family) this.unbind(channel);
    for (const permission of this.permissions.values()) if (permission.peer.family === family) this.forbid(permission);
    for (const connection of this.connections?.established ?? [])
      if (connection.peer.family === family) connection.close();
    const relay = this.relayFor(family);
    if (relay !== undefined) this.#closeRelay(relay);
    this.relays = this.relays.filter((relay) => relay.family !== family);
  }

  /** Accepts data also from `path`; `arrived` is called after the first. Replaces a path that was announced before. */
  announce(path: ListenerPath, arrived: () => void): void {
    this.withdraw();
    const flow = this.flow.over(path, arrived);
    this.next = { path, flow };
    path.install(flow);
  }

  /** Undoes `announce`. */
  withdraw(): void {
    this.next?.path.remove(this.next.flow);
    this.next = undefined;
  }

  /** Replaces the path by the announced one. Nothing is sent to the previous one once this returns. */
  move(): void {
    const { next, mobility } = this;
    if (next === undefined) return;
    // The kernel's flows have the previous path.
    for (const channel of this.channels.values()) this.scope.offload?.remove(channel);
    this.path.remove(this.flow);
    this.next = undefined;
    this.path = next.path;
    this.flow = next.flow;
    this.flow.arrived = undefined;
    for (const relay of this.relays) if (!(relay instanceof TcpRelay)) relay.attach(this.flow);
    this.offloadChannels();
    this.moves++;
    if (mobility !== undefined) mobility.oldest = mobility.newest;
  }

  /** Releases all resources. */
  close(): void {
    this.isClosed = true;
    this.withdraw();
    for (const channel of this.channels.values()) this.scope.offload?.forget(channel);
    this.path.remove(this.flow);
    for (const connection of this.connections?.established ?? []) connection.close();
    for (const { cluster, traffic } of this.usage.entries()) this.scope.countClosed(cluster, traffic);
    for (const permission of this.permissions.values()) this.scope.permissions.remove(permission);
    for (const relay of this.relays) this.#closeRelay(relay);
    this.permissions.clear();
    this.flow.channels.clear();
    this.flow.peers.clear();
  }

  #closeRelay(relay: RelayPort | TcpRelay): void {
    if (!(relay instanceof TcpRelay)) this.scope.relayed.remove(relay.family, relay.port);
    relay.close();
  }

  meet(address: string, port: number): PeerFlow | undefined {
    const ip = parseIp(address);
    if (ip === undefined || port === 0) return undefined;
    if (ip.text !== address) return this.flow.peer(ip.text, port);
    const relay = this.relayFor(ip.family);
    // RFC 6062 §5: TCP peers are reached only through connections.
    if (relay === undefined || relay instanceof TcpRelay) return undefined;
    // Without a permission the peer is not remembered: packets of unknown peers must not evict known ones.
    if (!this.permissions.has(ip.text)) return undefined;
    if (this.flow.peers.size >= maxPeers) this.#forgetPeers();
    const bytes = bytesOf(ip);
    const { w0, w1, w2, w3 } = wordsOfBytes(bytes);
    const peer: PeerFlow = {
      address: ip.text,
      port,
      w0,
      w1,
      w2,
      w3,
      bytes,
      relay,
      cluster: noTraffic(),
      channel: 0,
      open: false,
      closedBecause: "no-permission",
      generation: -1,
    };
    this.revalidate(peer);
    this.flow.peers.add(peer);
    return peer;
  }

  revalidate(peer: PeerFlow): void {
    peer.generation = this.scope.gate.generation;
    peer.open = false;
    const permission = this.permissions.get(peer.address);
    if (permission === undefined) {
      peer.closedBecause = "no-permission";
      return;
    }
    const verdict = this.check(permission.peer, peer.port);
    peer.open = verdict.admitted;
    if (this.scope.isLocal(peer.address)) this.#hasLocalPeers = true;
    const channel = this.channels.get(peer.channel);
    if (verdict.admitted) {
      const cluster = this.usage.of(verdict.cluster);
      // Packets forwarded so far count for the previous cluster.
      if (channel !== undefined && cluster !== peer.cluster) this.scope.offload?.remove(channel);
      peer.cluster = cluster;
      if (channel !== undefined) this.scope.offload?.install(this.flow, channel);
      return;
    }
    if (channel !== undefined) this.scope.offload?.suspend(channel);
    peer.closedBecause = "not-admitted";
    this.scope.refused(this, peer.address, verdict);
  }

  /** Forgets all peers except those with a channel; their state is computed again when they send. */
  #forgetPeers(): void {
    this.flow.peers.clear();
    for (const { flow } of this.channels.values()) this.flow.peers.add(flow);
  }
}

/** The peers of a request as addresses. */
export const ipsOf = (peers: readonly TransportAddress[]): readonly Ip[] =>
  peers.map(({ address }) => parseIp(address)).filter((ip) => ip !== undefined);
