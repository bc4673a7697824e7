/** The interface of sources of objects: a directory of manifests, a cluster, a recorded log. */
import type { Observable } from "rxjs";
import type { Rejection } from "../journal/fact.ts";
import type { Name } from "../resources/keys.ts";
import type { AnyObject, KindId } from "../resources/kinds.ts";

export type WatchEvent =
  | { readonly event: "seen"; readonly kind: KindId; readonly object: AnyObject }
  | { readonly event: "gone"; readonly kind: KindId; readonly name: Name }
  | { readonly event: "rejected"; readonly rejection: Rejection }
  /** The rejection no longer applies. */
  | { readonly event: "corrected"; readonly rejection: Rejection }
  /**
   * All objects of a kind, in one version of its API, have been reported: `seconds` after the start, or after the kind was
   * added.
   */
  | {
      readonly event: "listed";
      readonly kind: KindId;
      readonly version: string;
      readonly objects: number;
      readonly seconds: number;
      readonly attempts: number;
    }
  /** The source does not have the kind in this version; the request is repeated. */
  | { readonly event: "absent"; readonly kind: KindId; readonly version: string }
  /** The initial state has been reported. */
  | { readonly event: "synced"; readonly objects: number }
  | { readonly event: "lost"; readonly reason: string }
  | { readonly event: "restored" }
  /** A dataplane's Gateway was removed; its last config stays active. */
  | { readonly event: "withdrawn"; readonly gateway: Name };

/** Events that belong together arrive together, so that they can be folded together. */
export type Source = Observable<readonly WatchEvent[]>;
