/** One UDPRoute: whether a listener takes it, and whether its backends resolve. */
import { setup } from "xstate";

export type RouteEvent =
  /** Some listener accepts it and every backend resolves. */
  | { readonly type: "attached" }
  /** Some listener accepts it, but a backend does not resolve. */
  | { readonly type: "attached unresolved" }
  | { readonly type: "detached" }
  /** A `stunner.l7mp.io` route of the same name takes its place. */
  | { readonly type: "masked" }
  | { readonly type: "deleted" };

export const routeMachine = setup({ types: { events: {} as RouteEvent } }).createMachine({
  id: "route",
  initial: "detached",
  states: {
    detached: {
      on: { attached: "attached", "attached unresolved": "degraded", masked: "masked", deleted: "gone" },
    },
    attached: {
      on: { "attached unresolved": "degraded", detached: "detached", masked: "masked", deleted: "gone" },
    },
    degraded: { on: { attached: "attached", detached: "detached", masked: "masked", deleted: "gone" } },
    masked: {
      on: { attached: "attached", "attached unresolved": "degraded", detached: "detached", deleted: "gone" },
    },
    gone: { type: "final" },
  },
});
