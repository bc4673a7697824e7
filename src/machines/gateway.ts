/** One Gateway of ours, from the manifest that names it to the last of its listeners closed. */
import { setup } from "xstate";

export type GatewayEvent =
  /** A config was rendered for it. */
  | { readonly type: "rendered" }
  /** What it refers to is missing or wrong; it has no config. */
  | { readonly type: "invalidated" }
  /** Its object is gone, or its class is no longer ours, or the operator stops. */
  | { readonly type: "deleted" }
  /** Its object is back before the teardown ended. */
  | { readonly type: "recreated" }
  /** Its dataplane is torn down. */
  | { readonly type: "removed" };

export const gatewayMachine = setup({ types: { events: {} as GatewayEvent } }).createMachine({
  id: "gateway",
  initial: "pending",
  states: {
    pending: { on: { rendered: "active", invalidated: "invalid", deleted: "terminating" } },
    active: { on: { invalidated: "invalid", deleted: "terminating" } },
    invalid: { on: { rendered: "active", deleted: "terminating" } },
    terminating: { on: { recreated: "pending", removed: "gone" } },
    gone: { type: "final" },
  },
});
