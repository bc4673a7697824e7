/** Rates, from two readings of counters. */
import type { Traffic } from "../traffic.ts";
import type { Rates } from "./state.ts";

interface Counted {
  readonly packetsIn: number;
  readonly packetsOut: number;
}

const SAMPLES = 40;

/** Packets a second, both directions; 0 if it is new or its counters were reset. */
const rate = (before: Counted | undefined, after: Counted, seconds: number): number =>
  before === undefined || seconds <= 0
    ? 0
    : Math.max(0, (after.packetsIn + after.packetsOut - before.packetsIn - before.packetsOut) / seconds);

const seconds = (before: Traffic, after: Traffic): number => (after.time - before.time) / 1000;

/** Packets a second, by `listener ENTITY` and `cluster NAME`. */
export const edgeRates = (before: Traffic | undefined, after: Traffic | undefined): ReadonlyMap<string, number> => {
  const rates = new Map<string, number>();
  if (before === undefined || after === undefined) return rates;
  for (const listener of after.listeners) {
    const earlier = before.listeners.find(({ name }) => name === listener.name);
    rates.set(`listener ${listener.name}`, rate(earlier, listener, seconds(before, after)));
  }
  for (const cluster of after.clusters) {
    const earlier = before.clusters.find(({ name, gateway }) => name === cluster.name && gateway === cluster.gateway);
    const key = `cluster ${cluster.name}`;
    // Gateways that share a route share its edge.
    rates.set(key, (rates.get(key) ?? 0) + rate(earlier, cluster, seconds(before, after)));
  }
  return rates;
};

export const allocationKey = ({ gateway, id }: { readonly gateway: string; readonly id: number }): string =>
  `${gateway} ${id}`;

/** Adds one sample for each allocation; removed allocations are dropped. */
export const nextRates = (rates: Rates, before: Traffic | undefined, after: Traffic): Rates => {
  const earlier = new Map(before?.allocations.shown.map((one) => [allocationKey(one), one]));
  return new Map(
    after.allocations.shown.map((one) => {
      const key = allocationKey(one);
      const counted = earlier.get(key);
      const known = rates.get(key) ?? [];
      if (before === undefined || counted === undefined) return [key, known];
      return [key, [...known, rate(counted, one, seconds(before, after))].slice(-SAMPLES)];
    }),
  );
};

export const rateText = (packetsPerSecond: number): string =>
  packetsPerSecond >= 1000 ? `${(packetsPerSecond / 1000).toFixed(1)}k pkt/s` : `${Math.round(packetsPerSecond)} pkt/s`;
