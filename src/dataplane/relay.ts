/**
 * The relay as the rest of the program sees it. Configs and endpoint transitions go in,
 * events come out; nothing else crosses.
 */
import type { Observable } from "rxjs";
import type { Logger } from "pino";
import type { OffloadSummary, UsageSummary } from "../journal/fact.ts";
import type { DenialCode } from "../reasons.ts";
import type { AdmissionStep, AdmissionTransition } from "../admission/transition.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import type { TransportAddress } from "../net/address.ts";
import type { Family } from "../net/ip.ts";
import type { PortRange } from "../net/port-range.ts";
import type { EngineName } from "./engines/choose.ts";
import type { Limits } from "./limits.ts";
import type { OffloadState } from "./offload/engine.ts";
import type { UserSpaceReason } from "./offload/offload.ts";
import type { Traffic } from "./flows.ts";
import type { PlaceRule } from "./placement.ts";

/** What an operator of the relay may choose, independent of configs. */
export interface RelayTuning {
  /** Where new clients are sent while the relay drains (RFC 8489 §10), one for each family, instead of alternates of the config. */
  readonly alternateServers?: readonly TransportAddress[];
  /** Connections to TCP and TLS listeners must begin with a PROXY header (version 1 or 2); others are dropped. */
  readonly proxyProtocol?: boolean;
  /**
   * Addresses and prefixes of load balancers: their datagrams to UDP listeners must begin with a PROXY header (version 2).
   * Datagrams from elsewhere have none.
   */
  readonly udpBalancers?: readonly string[];
  /** An Allocate that names no family gets IPv4 or 440, even if the relay has only IPv6 (RFC 8656 §7.2 to the letter). */
  readonly strictAddressFamily?: boolean;
  /** Ports of relayed transport addresses; absent: the system chooses. */
  readonly relayPorts?: PortRange;
  /** IP literals that clients receive instead of the addresses of this machine, at most one for each family. */
  readonly advertise?: readonly string[];
  /** A prefix that is wider than a private block (RFC 1918, RFC 6598, RFC 4193) does not admit the addresses in it. */
  readonly deniesPrivate?: boolean;
  /** Whether clients that ask for a mobility ticket get one (RFC 8016); true by default. Needs a single thread. */
  readonly mobility?: boolean;
  /** Challenges offer clients SHA-256 beside MD5 (RFC 8489 §9.2), and are longer; false by default. */
  readonly passwordAlgorithms?: boolean;
  /** UDP listeners with two addresses answer NAT behaviour discovery (RFC 5780), also on the next port. */
  readonly natDiscovery?: boolean;
  /** How long a thread looks for packets without sleeping after the last one, in microseconds; 0 by default. */
  readonly busyPollMicroseconds?: number;
  /** Overrides of `defaultLimits`. */
  readonly limits?: Partial<Limits>;
}

export interface RelayOptions extends RelayTuning {
  readonly place: PlaceRule;
  /** IP literals of the relay's own machine: peers only with restrictions, if no endpoint names them (`own-host.ts`). */
  readonly own: readonly string[];
  /** The engine; `auto` by default. */
  readonly engine?: EngineName;
  /** Number of worker threads; 0, the default: this thread relays. */
  readonly workers?: number;
  /** How often the usage of an open allocation is reported (`allocation.used`), in seconds; never if absent. */
  readonly usageSeconds?: number | undefined;
  readonly log: Logger;
}

/** What a transition did. */
export interface AdmissionChange extends AdmissionTransition {
  /** `revoke`: what was dropped at once. */
  readonly permissions?: number;
  readonly channels?: number;
  /** Connections to TCP peers; absent if there were none. */
  readonly connections?: number;
}

export interface ListenerChange {
  readonly listener: string;
  readonly change: "started" | "restarted" | "updated" | "stopped" | "failed";
  /** `ADDRESS:PORT` of each socket. */
  readonly at: readonly string[];
  /** Why it failed; for another change, which part failed. */
  readonly reason?: string;
}

export interface ApplyReport {
  readonly admission: readonly AdmissionChange[];
  readonly listeners: readonly ListenerChange[];
}

export interface Apply {
  /**
   * What this config changes about admission. A relay that is not at its `from`, or gets none, admits the endpoints of the
   * config instead.
   */
  readonly admission?: AdmissionStep | undefined;
  /** Endpoints of this config that are terminating, by cluster. */
  readonly draining?: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface Relay {
  /**
   * Applies `config` to the gateway that it names. Admission changes take effect before this returns; the promise resolves
   * when listeners are bound or have failed. An invalid config is rejected as a whole (`TurnpikeError` `config-invalid`)
   * and the previous one stays.
   */
  apply(config: DataplaneConfig, how?: Apply): Promise<ApplyReport>;
  /** Closes the listeners and allocations of a gateway. Resolves to the number of allocations closed. */
  remove(gateway: string): Promise<number>;
  /** From here on new clients are sent to alternate servers, of which configs may still change; current clients stay. */
  drain(): void;
  /** The current numbers. */
  summary(): Promise<RelaySummary>;
  /** With workers, the values are those of their last report. */
  state(): RelayState;
  /** Asks the workers, so that `state` is current. */
  refresh(): Promise<void>;
  readonly events: Observable<RelayEvent>;
  close(): Promise<void>;
}

export interface ChannelState {
  readonly number: number;
  readonly peer: string;
  readonly expiresAt: number;
  /** What forwards its packets, and why the kernel does not. Only while offload is active. */
  readonly way?: "kernel" | "user space";
  readonly because?: UserSpaceReason;
  /** Kernel counters. `lastSeen`: time of the last packet in either direction. */
  readonly forwarded?: {
    readonly packetsIn: number;
    readonly bytesIn: number;
    readonly packetsOut: number;
    readonly bytesOut: number;
    readonly lastSeen?: number;
  };
}

export interface AllocationState {
  readonly id: number;
  readonly gateway: string;
  readonly listener: string;
  readonly user: string;
  readonly protocol: string;
  /** How peers are reached. */
  readonly peerProtocol: "udp" | "tcp";
  /** Open connections to TCP peers. */
  readonly connections: number;
  /** The five-tuple: client and server transport address, and `protocol`. */
  readonly client: string;
  readonly server: string;
  readonly relayed: string;
  /** Milliseconds since the epoch, as all times here. */
  readonly openedAt: number;
  readonly expiresAt: number;
  readonly permissions: readonly { readonly peer: string; readonly expiresAt: number }[];
  readonly channels: readonly ChannelState[];
  /** `in`: client to peer; `out`: peer to client. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
  /** How often its client moved it to another five-tuple (RFC 8016). */
  readonly moves: number;
  /** The client address that it is about to move to. */
  readonly movingTo?: string;
}

export interface ListenerState {
  readonly gateway: string;
  readonly name: string;
  readonly protocol: string;
  readonly state: "serving" | "failed";
  readonly at: readonly string[];
  readonly reason?: string;
  readonly routes: readonly string[];
  readonly connections: number;
  /** Connections that clients have made since it started. */
  readonly connectionsTotal: number;
  /** Connections that are passed on to the HTTP backend, and those that it has accepted since the listener started. */
  readonly httpConnections: number;
  readonly httpConnectionsTotal: number;
  /** TLS and DTLS. */
  readonly handshakes: number;
  readonly failedHandshakes: number;
  /** Datagrams that the kernel dropped because buffers were full. */
  readonly kernelDrops: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
}

export interface ClusterState {
  readonly gateway: string;
  readonly name: string;
  /** `in`: to peers; `out`: from peers. Only admitted traffic. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
}

/** Numbers of what is open. */
export interface OpenCounts {
  /** Allocations, by `CLIENT-TRANSPORT PEER-TRANSPORT`. */
  readonly allocations: Readonly<Record<string, number>>;
  /** Connections to TCP peers. */
  readonly connections: number;
  /** Channels, by the way that their packets take. */
  readonly channels: { readonly kernel: number; readonly userSpace: number };
}

/** The number of open allocations. */
export const openAllocations = ({ open }: Pick<RelaySummary, "open">): number =>
  Object.values(open.allocations).reduce((sum, count) => sum + count, 0);

export const nothingOpen: OpenCounts = { allocations: {}, connections: 0, channels: { kernel: 0, userSpace: 0 } };

/** Everything but the list of allocations, which takes long if there are thousands. */
export type RelaySummary = Omit<RelayState, "allocations">;

export interface RelayState {
  readonly open: OpenCounts;
  /** Requests that wait for their turn. */
  readonly waiting: number;
  readonly listeners: readonly ListenerState[];
  /** Clusters that packets were sent to or received from. */
  readonly clusters: readonly ClusterState[];
  readonly allocations: readonly AllocationState[];
  /** Counters since the start, by the codes of `reasons.ts`: requests rejected. */
  readonly refused: Readonly<Record<string, number>>;
  /** Peers not admitted, by `DenialCode`. */
  readonly denied: Readonly<Record<string, number>>;
  /** Allocations made, by `CLIENT-TRANSPORT PEER-TRANSPORT`; allocations ended, by reason. */
  readonly opened: Readonly<Record<string, number>>;
  readonly closed: Readonly<Record<string, number>>;
  /** Allocations moved to another five-tuple, by transport of the client. */
  readonly moved: Readonly<Record<string, number>>;
  /** Datagrams, frames and connections dropped. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Relayed transport addresses in use, by family, and the limit for each; absent if the system chooses their ports. */
  readonly relayPorts?: { readonly inUse: Readonly<Record<Family, number>>; readonly limit: number };
  /** Undefined if no config asks for offload. */
  readonly offload: OffloadState | undefined;
}

interface AllocationEvent {
  readonly gateway: string;
  readonly listener: string;
  readonly id: number;
  readonly user: string;
  readonly client: string;
  readonly relayed: string;
}

export type RelayEvent =
  | (AllocationEvent & { readonly event: "allocation.opened" })
  /** Its client has another address; `from` is the previous one. */
  | (AllocationEvent & { readonly event: "allocation.moved"; readonly from: string })
  /** A report about an open allocation: its traffic so far, and by cluster since the report before. */
  | (AllocationEvent & Readonly<Traffic> & UsageSummary & { readonly event: "allocation.used" })
  /** Its last report. */
  | (AllocationEvent &
      Readonly<Traffic> &
      UsageSummary & { readonly event: "allocation.closed"; readonly reason: string })
  | {
      /** At most one a second for each client, peer address and reason, and at most 50 a second in all; `suppressed` counts the rest. */
      readonly event: "peer.refused";
      readonly gateway: string;
      readonly listener: string;
      readonly client: string;
      readonly user: string;
      readonly peer: string;
      readonly code: DenialCode;
      /** For people. */
      readonly reason: string;
      readonly suppressed: number;
    }
  /** A new client was sent to another server, because the relay drains. Reported as often as `peer.refused`. */
  | {
      readonly event: "client.redirected";
      readonly gateway: string;
      readonly listener: string;
      readonly client: string;
      readonly user: string;
      /** `ADDRESS:PORT`. */
      readonly server: string;
      readonly suppressed: number;
    }
  /** A worker ended unexpectedly. Its clients have to allocate anew; other calls continue. */
  | {
      readonly event: "worker.lost";
      readonly worker: number;
      readonly reason: string;
      readonly allocations: number;
    }
  | { readonly event: "worker.restored"; readonly worker: number }
  | ({ readonly event: "offload.changed" } & OffloadSummary)
  | { readonly event: "listener.failed"; readonly gateway: string; readonly listener: string; readonly reason: string };
