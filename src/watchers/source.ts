/** Where facts about objects come from: a directory of manifests, a cluster, a recorded log. All speak like this. */
import type { Observable } from "rxjs";
import type { Rejection } from "../journal/fact.ts";
import type { Name } from "../resources/keys.ts";
import type { AnyObject, KindId } from "../resources/kinds.ts";

export type WatchEvent =
  | { readonly event: "seen"; readonly kind: KindId; readonly object: AnyObject }
  | { readonly event: "gone"; readonly kind: KindId; readonly name: Name }
  | { readonly event: "rejected"; readonly rejection: Rejection }
  /** What was rejected is so no longer. */
  | { readonly event: "corrected"; readonly rejection: Rejection }
  /** All of a kind, of one version of its API, has been reported: `seconds` after the start, or after the kind arrived. */
  | {
      readonly event: "listed";
      readonly kind: KindId;
      readonly version: string;
      readonly objects: number;
      readonly seconds: number;
      readonly attempts: number;
    }
  /** The source does not have the kind in this version; it is asked again. */
  | { readonly event: "absent"; readonly kind: KindId; readonly version: string }
  /** The initial state has been reported. */
  | { readonly event: "synced"; readonly objects: number }
  | { readonly event: "lost"; readonly reason: string }
  | { readonly event: "restored" }
  /** A dataplane's Gateway is gone; its last config stays active. */
  | { readonly event: "withdrawn"; readonly gateway: Name };

/** Events that belong together come together, so that they can be folded together. */
export type Source = Observable<readonly WatchEvent[]>;
