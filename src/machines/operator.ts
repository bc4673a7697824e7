/** The life of the program. Nothing is written or relayed before every list is complete. */
import { setup } from "xstate";

export type OperatorEvent =
  | { readonly type: "started" }
  /** Every watcher has listed all objects. */
  | { readonly type: "synced" }
  /** It holds the lease, or needs none. */
  | { readonly type: "elected" }
  | { readonly type: "deposed" }
  /** It was asked to stop. */
  | { readonly type: "stopping" }
  /** No work is in progress. */
  | { readonly type: "drained" }
  /** The managed objects are removed, or could not be removed in time. */
  | { readonly type: "finalized" };

export const operatorMachine = setup({ types: { events: {} as OperatorEvent } }).createMachine({
  id: "operator",
  initial: "starting",
  states: {
    starting: { on: { started: "syncing", stopping: "draining" } },
    syncing: { on: { synced: "standby", stopping: "draining" } },
    standby: { on: { elected: "leading", stopping: "draining" } },
    leading: { on: { deposed: "standby", stopping: "draining" } },
    // Without a finalizer it leaves everything as it is.
    draining: { on: { drained: "finalizing", finalized: "stopped" } },
    finalizing: { on: { finalized: "stopped" } },
    stopped: { type: "final" },
  },
});
