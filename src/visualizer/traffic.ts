/** What goes through the relay at the moment, for whoever asks every second or two: counters, and some of the allocations. */
import type { AllocationState, ClusterState, ListenerState, RelayState } from "../dataplane/relay.ts";

export interface Traffic {
  /** When this was read, in ms since 1970. */
  readonly time: number;
  readonly listeners: readonly ListenerState[];
  readonly clusters: readonly ClusterState[];
  readonly allocations: {
    /** All that there are, and those that match. */
    readonly total: number;
    readonly matching: number;
    /** The latest of those, at most `MAX_SHOWN`. */
    readonly shown: readonly AllocationState[];
  };
}

const MAX_SHOWN = 200;

const matches = (allocation: AllocationState, text: string): boolean =>
  [allocation.user, allocation.client, allocation.relayed, allocation.gateway, allocation.listener].some((part) =>
    part.includes(text),
  ) || allocation.permissions.some(({ peer }) => peer.includes(text));

/** @param match only allocations that have this text in user, client, relayed address, gateway, listener or a peer. */
export const trafficOf = ({ listeners, clusters, allocations }: RelayState, match: string, time: number): Traffic => {
  const matching = match === "" ? allocations : allocations.filter((allocation) => matches(allocation, match));
  return {
    time,
    listeners,
    clusters,
    allocations: {
      total: allocations.length,
      matching: matching.length,
      shown: matching.toSorted((a, b) => b.openedAt - a.openedAt).slice(0, MAX_SHOWN),
    },
  };
};
