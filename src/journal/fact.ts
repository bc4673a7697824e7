/**
 * The vocabulary of the whole program: all events, as data. A fact says what was learned from outside; a derivation says
 * what the core concluded from it. Both are lines of the log, in one envelope and one sequence.
 */
import type { DenialCode } from "../reasons.ts";
import type { AnyObject, KindId } from "../resources/kinds.ts";
import type { Name } from "../resources/keys.ts";
import type { RenderOptions } from "../resources/view.ts";

/** Version of the written lines. `upcast.ts` explains how to change their format. */
export const JOURNAL_VERSION = 1;

/** What was learned, from which `source`, and because of which earlier line (`cause`, a sequence number). */
export type Fact =
  | { readonly type: "operator.started"; readonly data: { readonly options: RenderOptions; readonly release: string } }
  /** A crash had torn the last line of the log; it was dropped. */
  | { readonly type: "journal.recovered"; readonly data: { readonly tornBytes: number } }
  | { readonly type: "operator.stopping"; readonly data: { readonly reason: string } }
  | { readonly type: "operator.drained"; readonly data: Record<string, never> }
  | {
      readonly type: "operator.finalized";
      readonly data: { readonly removed: readonly string[]; readonly left: readonly string[] };
    }
  /** This process may write: it holds the lease, or needs none. */
  | { readonly type: "lease.acquired"; readonly data: { readonly holder: string } }
  | { readonly type: "lease.lost"; readonly data: { readonly reason: string } }
  | { readonly type: "object.seen"; readonly data: { readonly kind: KindId; readonly object: AnyObject } }
  | { readonly type: "object.gone"; readonly data: { readonly kind: KindId; readonly name: Name } }
  | { readonly type: "object.rejected"; readonly data: Rejection }
  /** What a rejection reported no longer applies. */
  | { readonly type: "object.corrected"; readonly data: Rejection }
  /**
   * The first complete list of a kind: how long it took from the start, or since the kind was added, and how many attempts.
   */
  | {
      readonly type: "kind.listed";
      readonly data: {
        readonly kind: KindId;
        readonly version: string;
        readonly objects: number;
        readonly seconds: number;
        readonly attempts: number;
      };
    }
  /**
   * The API server does not have the kind in this version. The request is repeated, and everything else works without it.
   */
  | { readonly type: "kind.absent"; readonly data: { readonly kind: KindId; readonly version: string } }
  | { readonly type: "objects.synced"; readonly data: { readonly objects: number } }
  | { readonly type: "watch.lost"; readonly data: { readonly reason: string } }
  | { readonly type: "watch.restored"; readonly data: Record<string, never> }
  /** The operator no longer has a Gateway. A dataplane continues to serve: its pod ends after its calls. */
  | { readonly type: "config.withdrawn"; readonly data: { readonly gateway: Name } }
  /**
   * An object was created, changed or removed; or left unchanged because it is not ours (`foreign`). `unchanged` and
   * `absent`: after a failed write, the object is in the desired state.
   */
  | {
      readonly type: "object.written";
      readonly data: {
        readonly object: string;
        readonly outcome: "created" | "updated" | "removed" | "foreign" | "unchanged" | "absent";
      };
    }
  | {
      readonly type: "effect.failed";
      readonly data: {
        readonly effect: string;
        readonly target: string;
        readonly reason: string;
        /** Of the API server's answer, if there was one. */
        readonly status?: number;
      };
    }
  | {
      readonly type: "listener.bound" | "listener.closed";
      readonly data: { readonly gateway: Name; readonly listener: string; readonly at: readonly string[] };
    }
  | {
      readonly type: "listener.failed";
      readonly data: { readonly gateway: Name; readonly listener: string; readonly reason: string };
    }
  | {
      readonly type: "gateway.published";
      readonly data: {
        readonly gateway: Name;
        readonly admitted: number;
        readonly drained: number;
        readonly revoked: number;
      };
    }
  | { readonly type: "gateway.removed"; readonly data: { readonly gateway: Name; readonly allocations: number } }
  | {
      readonly type: "endpoint.revoked";
      readonly data: {
        readonly gateway: Name;
        readonly cluster: string;
        readonly endpoint: string;
        readonly permissions: number;
        readonly channels: number;
        /** Connections to TCP peers; absent if there were none. */
        readonly connections?: number;
        /** The transition of the endpoint; absent if the endpoint stays and a route no longer leads to it. */
        readonly because?: { readonly entity: string; readonly from: string; readonly to: string };
      };
    }
  /** A relay thread ended unexpectedly; its clients have to allocate anew. */
  | {
      readonly type: "worker.lost";
      readonly data: { readonly worker: number; readonly reason: string; readonly allocations: number };
    }
  | { readonly type: "worker.restored"; readonly data: { readonly worker: number } }
  /** What forwards channels in the kernel from now on. */
  | { readonly type: "offload.changed"; readonly data: OffloadSummary }
  | { readonly type: "allocation.opened"; readonly data: AllocationSummary }
  /** Its client has another address (RFC 8016); `from` is the previous one, `ADDRESS:PORT`. */
  | { readonly type: "allocation.moved"; readonly data: AllocationSummary & { readonly from: string } }
  /** A report about an open allocation. */
  | { readonly type: "allocation.used"; readonly data: AllocationSummary & TrafficCount & UsageSummary }
  /** The last report; logs of earlier releases have no routes. */
  | {
      readonly type: "allocation.closed";
      readonly data: AllocationSummary & {
        readonly reason: string;
        readonly bytesIn: number;
        readonly bytesOut: number;
        readonly packetsIn: number;
        readonly packetsOut: number;
      } & Partial<UsageSummary> & {
          /** If the process ended first: its last sign of life, in ms since 1970. */
          readonly endedAt?: number;
        };
    }
  /** A draining relay sent a new client to another server (RFC 8489 §10). */
  | {
      readonly type: "client.redirected";
      readonly data: {
        readonly gateway: Name;
        readonly listener: string;
        /** `ADDRESS:PORT`, like `server`. */
        readonly client: string;
        readonly user: string;
        readonly server: string;
        /** Redirections left out of the log since the last one, to limit its size. */
        readonly suppressed: number;
      };
    }
  | {
      readonly type: "peer.refused";
      readonly data: {
        readonly gateway: Name;
        readonly listener: string;
        readonly client: string;
        readonly user: string;
        readonly peer: string;
        /** Logs of earlier releases have none. */
        readonly code?: DenialCode;
        /** For people. */
        readonly reason: string;
        /** Rejections left out of the log since the last one, to limit its size. */
        readonly suppressed: number;
      };
    };

export interface Rejection {
  readonly code: string;
  readonly file: string;
  /** 1-based; 0 if unknown. */
  readonly line: number;
  /** `KIND/NAMESPACE/NAME`, as far as the document contains them. */
  readonly object: string;
  /** Path inside the object, `spec.listeners[0].port`; empty for the whole object. */
  readonly field: string;
  readonly reason: string;
}

export interface OffloadSummary {
  /** `None`: user space relays everything, and `reason` says why. `XDP`: on at least one interface. */
  readonly engine: "None" | "TC" | "XDP";
  readonly reason?: string;
  readonly interfaces?: readonly OffloadInterface[];
}

export interface OffloadInterface {
  readonly name: string;
  readonly engine: "TC" | "XDP";
  /** Why XDP is not used, if it was requested or could have been chosen. */
  readonly note?: string;
}

export interface AllocationSummary {
  readonly gateway: Name;
  readonly listener: string;
  /** Number of the allocation in this process, from 1. */
  readonly id: number;
  readonly user: string;
  /** `ADDRESS:PORT`. */
  readonly client: string;
  readonly relayed: string;
}

/** `in`: from the client; `out`: to it. Of an allocation, since it was made. */
export interface TrafficCount {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
}

/** What an allocation relayed since the report before. */
export interface UsageSummary {
  /** When it was made, in ms since 1970. */
  readonly openedAt: number;
  /** Number of the report, from 1 for each allocation. */
  readonly report: number;
  /** Routes with traffic. Their sums over all reports are the traffic of the allocation. */
  readonly routes: readonly RouteUsage[];
}

export interface RouteUsage extends TrafficCount {
  /** `NAMESPACE/NAME`. */
  readonly route: string;
}

/** A fact that is not in the log yet. */
export interface Happening {
  readonly fact: Fact;
  readonly source: string;
  /** Sequence number of the line that caused it. */
  readonly cause: number | null;
}

/** The machines whose instances live in the registry. */
export type MachineId = "operator" | "gateway" | "listener" | "route" | "endpoint" | "user";

export type Derivation =
  | {
      readonly type: "transition";
      readonly data: {
        readonly machine: MachineId;
        /** The entity that changed: a gateway's `NAMESPACE/NAME`, an endpoint's `SERVICE-NAMESPACE/SERVICE#ADDRESS`. */
        readonly entity: string;
        readonly from: string;
        readonly event: string;
        readonly to: string;
        readonly why?: string;
      };
    }
  | {
      /** Facts up to `through` were folded; the lines until the next fact were concluded from them. */
      readonly type: "fold";
      readonly data: { readonly through: number };
    }
  | {
      /**
       * The whole state of the core, at the start of a segment: replay can begin here. `CoreSnapshot` of `core/core.ts`.
       */
      readonly type: "snapshot";
      readonly data: unknown;
    }
  | {
      /**
       * An output that changed: a dataplane config, a status, an object. `parts` are digests, so that a difference can be
       * located.
       */
      readonly type: "rendered";
      readonly data: {
        readonly output: string;
        readonly parts: Readonly<Record<string, string>> | null;
        /** Of `certificates`, which do not follow from the objects: `KeptCertificates` of `core/certificates.ts`. */
        readonly value?: unknown;
      };
    };

export interface Envelope {
  readonly v: typeof JOURNAL_VERSION;
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly source: string;
  readonly cause: number | null;
}

export type FactLine = Envelope & Fact;
export type DerivationLine = Envelope & Derivation;
export type JournalLine = FactLine | DerivationLine;

export const isDerivation = (line: JournalLine): line is DerivationLine =>
  line.type === "transition" || line.type === "fold" || line.type === "rendered" || line.type === "snapshot";
