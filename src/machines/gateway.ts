/** One Gateway of ours, from its manifest to the close of its last listener. */
import { setup } from "xstate";

export type GatewayEvent =
  /** A config was rendered for it. */
  | { readonly type: "rendered" }
  /** An object that it refers to is missing or invalid; it has no config. */
  | { readonly type: "invalidated" }
  /** Its object was removed, or its class is no longer ours, or the operator is stopping. */
  | { readonly type: "deleted" }
  /** Its object was restored before the teardown ended. */
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
