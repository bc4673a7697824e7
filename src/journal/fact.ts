/**
 * The vocabulary of the whole program: everything that can happen, as data.
 * A fact says what was learned from outside; a derivation says what the core concluded from it.
 * Both are lines of the log, in one envelope and one sequence.
 */
import type { DenialCode } from "../reasons.ts";
import type { AnyObject, KindId } from "../resources/kinds.ts";
import type { Name } from "../resources/keys.ts";
import type { RenderOptions } from "../resources/view.ts";

/** Of the lines that are written. What a change of their shape asks for stands in `upcast.ts`. */
export const JOURNAL_VERSION = 1;

/** What was learned, by whom (`source`) and because of which earlier line (`cause`, a sequence number). */
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
  /** What a rejection said no longer holds. */
  | { readonly type: "object.corrected"; readonly data: Rejection }
  /** The first complete list of a kind: how long it took from the start, or from the kind's arrival, and how many tries. */
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
  /** The API server does not have the kind in this version. It is asked again, and the rest goes on without. */
  | { readonly type: "kind.absent"; readonly data: { readonly kind: KindId; readonly version: string } }
  | { readonly type: "objects.synced"; readonly data: { readonly objects: number } }
  | { readonly type: "watch.lost"; readonly data: { readonly reason: string } }
  | { readonly type: "watch.restored"; readonly data: Record<string, never> }
  /** The operator has a Gateway no more. A dataplane serves on: its pod goes when its calls have. */
  | { readonly type: "config.withdrawn"; readonly data: { readonly gateway: Name } }
  /**
   * An object was brought into being, changed or removed; or left alone because it is not ours (`foreign`). `unchanged` and
   * `absent`: after a write of it had failed, it is as it should be.
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
        /** Of the API server's answer, where it gave one. */
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
        /** To TCP peers; not there where there were none. */
        readonly connections?: number;
        /** The transition of the endpoint; absent where the endpoint stays and a route no longer leads to it. */
        readonly because?: { readonly entity: string; readonly from: string; readonly to: string };
      };
    }
  /** A thread that relays ended by itself; its clients have to allocate anew. */
  | {
      readonly type: "worker.lost";
      readonly data: { readonly worker: number; readonly reason: string; readonly allocations: number };
    }
  | { readonly type: "worker.restored"; readonly data: { readonly worker: number } }
  /** What forwards channels in the kernel from now on. */
  | { readonly type: "offload.changed"; readonly data: OffloadSummary }
  | { readonly type: "allocation.opened"; readonly data: AllocationSummary }
  | {
      readonly type: "allocation.closed";
      readonly data: AllocationSummary & {
        readonly reason: string;
        readonly bytesIn: number;
        readonly bytesOut: number;
        readonly packetsIn: number;
        readonly packetsOut: number;
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
        /** Refusals left out of the log since the one before, to bound it. */
        readonly suppressed: number;
      };
    };

export interface Rejection {
  readonly code: string;
  readonly file: string;
  /** 1-based; 0 where unknown. */
  readonly line: number;
  /** `KIND/NAMESPACE/NAME`, where the document says that much. */
  readonly object: string;
  /** Path inside the object, `spec.listeners[0].port`; empty for the whole of it. */
  readonly field: string;
  readonly reason: string;
}

export interface OffloadSummary {
  /** `None`: user space relays everything, and `reason` says why. `XDP`: on one interface at least. */
  readonly engine: "None" | "TC" | "XDP";
  readonly reason?: string;
  readonly interfaces?: readonly OffloadInterface[];
}

export interface OffloadInterface {
  readonly name: string;
  readonly engine: "TC" | "XDP";
  /** Why not XDP, where it was asked for or might have been chosen. */
  readonly note?: string;
}

export interface AllocationSummary {
  readonly gateway: Name;
  readonly listener: string;
  /** Number of the allocation in this process, 1 and up. */
  readonly id: number;
  readonly user: string;
  /** `ADDRESS:PORT`. */
  readonly client: string;
  readonly relayed: string;
}

/** A fact on its way into the log. */
export interface Happening {
  readonly fact: Fact;
  readonly source: string;
  /** Sequence number of the line that led to it. */
  readonly cause: number | null;
}

/** The machines whose instances live in the registry. */
export type MachineId = "operator" | "gateway" | "listener" | "route" | "endpoint";

export type Derivation =
  | {
      readonly type: "transition";
      readonly data: {
        readonly machine: MachineId;
        /** What moved: a gateway's `NAMESPACE/NAME`, an endpoint's `SERVICE-NAMESPACE/SERVICE#ADDRESS`. */
        readonly entity: string;
        readonly from: string;
        readonly event: string;
        readonly to: string;
        readonly why?: string;
      };
    }
  | {
      /** Facts up to `through` were folded; what follows until the next fact was concluded from them. */
      readonly type: "fold";
      readonly data: { readonly through: number };
    }
  | {
      /** All that the core knew, at the start of a segment: replay can begin here. `CoreSnapshot` of `core/core.ts`. */
      readonly type: "snapshot";
      readonly data: unknown;
    }
  | {
      /** An output that changed: a dataplane config, a status, an object. `parts` are digests, so that a difference can be named. */
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
