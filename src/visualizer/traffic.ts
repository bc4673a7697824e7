/** The current traffic of the relay, for clients that poll every second or two: counters, and some of the allocations. */
import type { AllocationState, ClusterState, ListenerState, RelayState } from "../dataplane/relay.ts";

export interface Traffic {
  /** When this was read, in ms since 1970. */
  readonly time: number;
  readonly listeners: readonly ListenerState[];
  readonly clusters: readonly ClusterState[];
  readonly allocations: {
    /** All, and those that match. */
    readonly total: number;
    readonly matching: number;
    /** The latest of those. */
    readonly shown: readonly AllocationState[];
  };
  /** Number of allocations with a permission for a peer, by the requested addresses. */
  readonly calls: Readonly<Record<string, number>>;
}

export interface TrafficQuestion {
  /** Only allocations that contain this text in user, client, relayed address, gateway, listener or a peer. */
  readonly match: string;
  /** Allocations to show, at most `MAX_SHOWN`. */
  readonly show: number;
  /** Addresses of peers whose calls are counted. */
  readonly peers: readonly string[];
}

/** The state of the relay at a time, in ms since 1970; its allocations latest first. */
export interface RelayReading {
  readonly time: number;
  readonly state: RelayState;
}

const MAX_SHOWN = 200;
const MAX_PEERS = 64;

const matches = (allocation: AllocationState, text: string): boolean =>
  [allocation.user, allocation.client, allocation.relayed, allocation.gateway, allocation.listener].some((part) =>
    part.includes(text),
  ) || allocation.permissions.some(({ peer }) => peer.includes(text));

const countCalls = (allocations: readonly AllocationState[], peers: readonly string[]): Traffic["calls"] => {
  const counts = new Map(peers.slice(0, MAX_PEERS).map((peer) => [peer, 0]));
  if (counts.size > 0)
    for (const { permissions } of allocations)
      for (const { peer } of permissions) {
        const count = counts.get(peer);
        if (count !== undefined) counts.set(peer, count + 1);
      }
  return Object.fromEntries(counts);
};

export const trafficOf = ({ time, state }: RelayReading, { match, show, peers }: TrafficQuestion): Traffic => {
  const { listeners, clusters, allocations } = state;
  const matching = match === "" ? allocations : allocations.filter((allocation) => matches(allocation, match));
  return {
    time,
    listeners,
    clusters,
    allocations: {
      total: allocations.length,
      matching: matching.length,
      shown: matching.slice(0, Math.min(show, MAX_SHOWN)),
    },
    calls: countCalls(allocations, peers),
  };
};

/** Maximum share of the time for readings: a relay with tens of thousands of allocations is read less often. */
const SHARE = 1 / 400;
const LEAST_PAUSE_MS = 1000;

/** However many clients poll: the relay is read only as often as it has time for. */
export const createCalmReader = (
  read: () => Promise<RelayState>,
  clock: () => number = () => performance.now(),
): (() => Promise<RelayReading>) => {
  let reading: Promise<RelayReading> | undefined;
  let nextAt = 0;
  return () => {
    if (reading !== undefined && clock() < nextAt) return reading;
    const startedAt = clock();
    // Until its duration is known.
    nextAt = Infinity;
    reading = read()
      .then((state) => ({
        time: Date.now(),
        state: { ...state, allocations: state.allocations.toSorted((a, b) => b.openedAt - a.openedAt) },
      }))
      .finally(() => {
        const now = clock();
        nextAt = now + Math.max(LEAST_PAUSE_MS, (now - startedAt) / SHARE);
      });
    return reading;
  };
};
