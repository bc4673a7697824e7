/**
 * One backend endpoint: an address that a routed Service lists. A terminating endpoint stays admitted, so that calls drain;
 * only when no list has it is it removed, and the relay drops what uses it.
 */
import { setup } from "xstate";

export type EndpointEvent =
  | { readonly type: "listed" }
  | { readonly type: "listed terminating" }
  /** No EndpointSlice lists it, or no route refers to its Service. */
  | { readonly type: "unlisted" };

export const endpointMachine = setup({ types: { events: {} as EndpointEvent } }).createMachine({
  id: "endpoint",
  initial: "active",
  states: {
    active: { on: { "listed terminating": "terminating", unlisted: "gone" } },
    terminating: { on: { listed: "active", unlisted: "gone" } },
    gone: { type: "final" },
  },
});
