/** Every metric: its name, help and labels, read from the program's state when it is scraped. */
import { Counter, Gauge, Registry, collectDefaultMetrics } from "@prometheus-io/client";
import type { Core } from "../core/core.ts";
import type { RelayState } from "../dataplane/relay.ts";

export interface MetricSources {
  readonly core: Core;
  readonly relay: { state(): RelayState; refresh?(): Promise<void> };
  readonly journalSeq: () => number;
  /** Requests made to the API server, by method; nothing where there is none. */
  readonly apiRequests?: Readonly<Record<string, number>>;
}

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly samples: (sources: MetricSources, relay: RelayState) => readonly Sample[];
}

const total = (value: number): readonly Sample[] => [{ labels: {}, value }];

const countStates =
  (machine: "gateway" | "listener" | "route" | "endpoint") =>
  ({ core }: MetricSources) => {
    const counts = new Map<string, number>();
    for (const state of core.registry.entities(machine).values()) counts.set(state, (counts.get(state) ?? 0) + 1);
    return [...counts].map(([state, value]) => ({ labels: { state }, value }));
  };

const perListener =
  (unit: "bytes" | "packets") =>
  (_: MetricSources, relay: RelayState): readonly Sample[] =>
    relay.listeners.flatMap(({ name, bytesIn, bytesOut, packetsIn, packetsOut }) => [
      { labels: { name, direction: "rx" }, value: unit === "bytes" ? bytesIn : packetsIn },
      { labels: { name, direction: "tx" }, value: unit === "bytes" ? bytesOut : packetsOut },
    ]);

const byReason = (counters: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(counters).map(([reason, value]) => ({ labels: { reason }, value }));

export const metrics: readonly Metric[] = [
  {
    name: "stunner_allocations_active",
    help: "Allocations that are open.",
    labels: [],
    samples: (_, relay) => total(relay.allocations.length),
  },
  {
    name: "stunner_listener_connections",
    help: "Client connections that are open, by listener.",
    labels: ["name"],
    samples: (_, relay) => relay.listeners.map(({ name, connections }) => ({ labels: { name }, value: connections })),
  },
  {
    name: "stunner_listener_packets_total",
    help: "Datagrams or frames at a listener; rx is towards the relay.",
    labels: ["name", "direction"],
    samples: perListener("packets"),
  },
  {
    name: "stunner_listener_bytes_total",
    help: "Bytes at a listener, TURN framing included; rx is towards the relay.",
    labels: ["name", "direction"],
    samples: perListener("bytes"),
  },
  {
    name: "turnpike_requests_refused_total",
    help: "Requests answered with an error, by its code and reason.",
    labels: ["reason"],
    samples: (_, relay) => byReason(relay.refused),
  },
  {
    name: "turnpike_packets_dropped_total",
    help: "Datagrams and frames dropped, by reason.",
    labels: ["reason"],
    samples: (_, relay) => byReason(relay.dropped),
  },
  {
    name: "turnpike_gateways",
    help: "Gateways, by the state of their machine.",
    labels: ["state"],
    samples: countStates("gateway"),
  },
  {
    name: "turnpike_listeners",
    help: "Listeners, by the state of their machine.",
    labels: ["state"],
    samples: countStates("listener"),
  },
  {
    name: "turnpike_routes",
    help: "Routes, by the state of their machine.",
    labels: ["state"],
    samples: countStates("route"),
  },
  {
    name: "turnpike_endpoints",
    help: "Backend endpoints, by the state of their machine.",
    labels: ["state"],
    samples: countStates("endpoint"),
  },
  {
    name: "turnpike_api_requests_total",
    help: "Requests made to the API server, by method.",
    labels: ["method"],
    samples: ({ apiRequests = {} }) =>
      Object.entries(apiRequests).map(([method, value]) => ({ labels: { method }, value })),
  },
  {
    name: "turnpike_journal_sequence",
    help: "Sequence number of the last line of the event log.",
    labels: [],
    samples: ({ journalSeq }) => total(journalSeq()),
  },
];

/** @param registry with what others have to say. */
export const createMetrics = (
  sources: MetricSources,
  registry = new Registry(),
): { readonly contentType: string; scrape(): Promise<string> } => {
  collectDefaultMetrics({ register: registry });
  // Both are read off the state at each scrape, so a counter too is set to what it has come to.
  const series = metrics.map((metric) => {
    const { name, help, labels } = metric;
    const configuration = { name, help, labelNames: [...labels], registers: [registry] };
    if (name.endsWith("_total")) {
      const counter = new Counter(configuration);
      return { metric, reset: () => counter.reset(), set: (to: Sample) => counter.inc(to.labels, to.value) };
    }
    const gauge = new Gauge(configuration);
    return { metric, reset: () => gauge.reset(), set: (to: Sample) => gauge.set(to.labels, to.value) };
  });
  return {
    contentType: registry.contentType,
    async scrape() {
      await sources.relay.refresh?.();
      const relay = sources.relay.state();
      for (const { metric, reset, set } of series) {
        reset();
        for (const sample of metric.samples(sources, relay)) set(sample);
      }
      return registry.metrics();
    },
  };
};
