/**
 * A user of a Gateway, from the first order that concerns them. A kick ends their allocations and leaves nothing behind;
 * blocked users have none, until they are released.
 */
import { setup } from "xstate";

export type UserEvent = { readonly type: "kicked" } | { readonly type: "blocked" } | { readonly type: "released" };

export const userMachine = setup({ types: { events: {} as UserEvent } }).createMachine({
  id: "user",
  initial: "admitted",
  states: {
    admitted: { on: { kicked: "gone", blocked: "blocked" } },
    blocked: { on: { released: "gone" } },
    gone: { type: "final" },
  },
});
