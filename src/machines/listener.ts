/** One listener of a Gateway: rendering validates it, then the relay binds it. */
import { setup } from "xstate";

export type ListenerEvent =
  | { readonly type: "accepted" }
  /** Port taken by an earlier listener, protocol not supported, or no usable certificate. */
  | { readonly type: "refused" }
  | { readonly type: "bound" }
  | { readonly type: "failed" }
  | { readonly type: "closed" }
  /** The Gateway no longer has it. */
  | { readonly type: "dropped" };

export const listenerMachine = setup({ types: { events: {} as ListenerEvent } }).createMachine({
  id: "listener",
  initial: "pending",
  states: {
    pending: { on: { accepted: "accepted", refused: "refused", dropped: "gone" } },
    accepted: { on: { bound: "serving", failed: "failed", refused: "refused", dropped: "gone" } },
    serving: { on: { closed: "accepted", failed: "failed", refused: "refused", dropped: "gone" } },
    failed: { on: { bound: "serving", closed: "accepted", refused: "refused", dropped: "gone" } },
    refused: { on: { accepted: "accepted", dropped: "gone" } },
    gone: { type: "final" },
  },
});
