/** What the pool and a worker say to each other; `thread-channel.ts` carries it. */
import type { AdmissionStep } from "../../admission/transition.ts";
import type { TransportAddress } from "../../net/address.ts";
import type { ValidConfig } from "../config.ts";
import type { OffloadHandle } from "../offload/offload.ts";
import type { RelayEvent, RelayOptions } from "../relay.ts";
import type { PortMemory } from "../relayed-ports.ts";
import type { HeldPort } from "../engines/engine.ts";

/** What a worker is started with. */
export interface WorkerData {
  readonly index: number;
  readonly options: Pick<RelayOptions, "place" | "own" | "alternateServers" | "strictAddressFamily" | "limits">;
  readonly ids: { readonly first: number; readonly step: number };
  /** By descriptor, 1 for those that the worker has open; in memory that both see. */
  readonly descriptors: Uint8Array;
  /** Where relayed ports are known: the worker's own part, and those of all threads. */
  readonly ports: { readonly own: PortMemory; readonly all: readonly PortMemory[] };
}

export interface ApplyRequest {
  readonly config: ValidConfig;
  /** Terminating endpoints by cluster. */
  readonly draining: Readonly<Record<string, readonly string[]>>;
  /** A worker that is not at its `from` admits what the config says. */
  readonly admission: AdmissionStep | undefined;
  readonly datagramPorts: readonly number[];
  readonly offload: OffloadHandle | undefined;
}

/** The worker asks for a place for one more allocation, or gives one back. */
export interface QuotaRequest {
  readonly gateway: string;
  readonly user: string;
  readonly limit: number;
}

/** What the pool asks and tells. */
export interface PoolSays {
  readonly apply: ApplyRequest;
  readonly remove: string;
  readonly useOffload: OffloadHandle | undefined;
  readonly state: undefined;
  readonly drain: undefined;
  readonly close: undefined;
  /** Ends in an exception that nobody catches: for tests of what then happens. */
  readonly fail: string;
}

/** What a worker asks and tells. */
export interface WorkerSays {
  /** It runs; the eventfd wakes it. */
  readonly ready: { readonly wakeFd: number };
  readonly openSocket: TransportAddress;
  readonly closeSocket: TransportAddress;
  readonly takeQuota: QuotaRequest;
  readonly giveQuota: Omit<QuotaRequest, "limit">;
  /** Ports for RESERVATION-TOKEN; the answers are as of `SharedTokens`. */
  readonly holdPort: HeldPort;
  readonly takePort: Uint8Array;
  readonly event: RelayEvent;
  readonly log: { readonly level: number; readonly msg: string; readonly [field: string]: unknown };
}
