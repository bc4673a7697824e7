/** The messages between the pool and a worker; `thread-channel.ts` carries them. */
import type { AdmissionStep } from "../../admission/transition.ts";
import type { TransportAddress } from "../../net/address.ts";
import type { ValidConfig } from "../config.ts";
import type { HandedStream } from "../listeners/listener.ts";
import type { Numbers } from "../numbers.ts";
import type { OffloadHandle } from "../offload/offload.ts";
import type { RelayEvent, RelayOptions } from "../relay.ts";
import type { PortMemory } from "../relayed-ports.ts";
import type { HeldPort } from "../engines/engine.ts";

/** State that clients get from one worker and may present to another. */
export interface Secrets {
  readonly nonceKey: Uint8Array;
  /** 48 bytes, as Node's TLS servers expect them. */
  readonly ticketKeys: Uint8Array;
}

/** What a worker is started with. */
export interface WorkerData {
  readonly index: number;
  readonly options: Omit<RelayOptions, "engine" | "workers" | "log">;
  readonly ids: Numbers;
  readonly secrets: Secrets;
  /** By descriptor, 1 for those that the worker has open; in shared memory. */
  readonly descriptors: Uint8Array;
  /** Relayed ports: the worker's own part, and those of all threads. */
  readonly ports: { readonly own: PortMemory; readonly all: readonly PortMemory[] };
}

export interface ApplyRequest {
  readonly config: ValidConfig;
  /** Terminating endpoints by cluster. */
  readonly draining: Readonly<Record<string, readonly string[]>>;
  /** A worker that is not at its `from` admits what the config says. */
  readonly admission: AdmissionStep | undefined;
  readonly offload: OffloadHandle | undefined;
}

/** The worker reserves a place for one more allocation, or releases one. */
export interface QuotaRequest {
  readonly gateway: string;
  readonly user: string;
  readonly limit: number;
}

/** Requests and notifications of the pool. */
export interface PoolSays {
  readonly apply: ApplyRequest;
  readonly remove: string;
  readonly useOffload: OffloadHandle | undefined;
  /** A stream, passed as a descriptor. */
  readonly takeStream: { readonly stream: HandedStream; readonly fd: number };
  readonly state: undefined;
  readonly summary: undefined;
  readonly drain: undefined;
  readonly close: undefined;
  /** Ends with an uncaught exception, for tests. */
  readonly fail: string;
}

/** Requests and notifications of a worker. */
export interface WorkerSays {
  readonly openSocket: TransportAddress;
  readonly closeSocket: TransportAddress;
  readonly takeQuota: QuotaRequest;
  readonly giveQuota: Omit<QuotaRequest, "limit">;
  /** Ports for RESERVATION-TOKEN; the answers are those of `SharedTokens`. */
  readonly holdPort: HeldPort;
  readonly takePort: Uint8Array;
  /** A stream for the worker that has the connection; the answer is a descriptor that leads there. */
  readonly handOverStream: { readonly stream: HandedStream; readonly connectionId: number };
  readonly event: RelayEvent;
  readonly log: { readonly level: number; readonly msg: string; readonly [field: string]: unknown };
}
