/** Every metric: its name, help and labels, read from the program's state when it is scraped. */
import { epochMsOf } from "../resources/time.ts";
import { Counter, Gauge, Registry, collectDefaultMetrics } from "@prometheus-io/client";
import type { Core } from "../core/core.ts";
import type { RelayState } from "../dataplane/relay.ts";
import { findCertificate } from "../render/certificate.ts";
import { nameOf, nameOfObject, type Name } from "../resources/keys.ts";
import type { FactTally } from "./fact-tally.ts";
import type { RefusalCode } from "../reasons.ts";

export interface MetricSources {
  readonly core: Core;
  readonly relay: { state(): RelayState; refresh?(): Promise<void> };
  readonly facts: FactTally;
  readonly journal: {
    readonly lastSeq: () => number;
    /** Why the disk takes no lines at the moment. */
    readonly refusal: () => string | undefined;
  };
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

/** At the side of peers: rx is what comes from them. */
const perCluster =
  (unit: "bytes" | "packets") =>
  (_: MetricSources, relay: RelayState): readonly Sample[] =>
    relay.clusters.flatMap(({ name, bytesIn, bytesOut, packetsIn, packetsOut }) => [
      { labels: { name, direction: "rx" }, value: unit === "bytes" ? bytesOut : packetsOut },
      { labels: { name, direction: "tx" }, value: unit === "bytes" ? bytesIn : packetsIn },
    ]);

/** Refusals that say that somebody is not who they have to be, less the challenge that every client gets first. */
const AUTHENTICATION: ReadonlySet<string> = new Set<RefusalCode>([
  "400 missing-credentials",
  "401 realm",
  "401 credentials",
  "403 stun-only",
  "438 stale-nonce",
  "441 other-user",
]);

const countAllocations = ({ allocations }: RelayState): readonly Sample[] => {
  const counts = new Map<string, number>();
  for (const { protocol, peerProtocol } of allocations) {
    const key = `${protocol} ${peerProtocol}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return byTransports(Object.fromEntries(counts));
};

const byTransports = (counters: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(counters).map(([key, value]) => {
    const [transport = "", peers = ""] = key.split(" ");
    return { labels: { transport, peers }, value };
  });

const byReason = (counters: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(counters).map(([reason, value]) => ({ labels: { reason }, value }));

const byCode = (counters: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(counters).map(([code, value]) => ({ labels: { code }, value }));

/** Of a dataplane: what it was told to serve. */
const receivedCertificateEnds = (core: Core): readonly Sample[] =>
  core.view.list("DataplaneConfig").flatMap(({ certificates = [] }) =>
    certificates.map(({ listener, notAfter }) => ({
      labels: { name: listener },
      value: epochMsOf(notAfter) / 1000,
    })),
  );

/** Of the certificate that each listener serves; where none can be served, of the first that is there. */
const certificateEnds = (core: Core): readonly Sample[] =>
  core.view.list("Gateway").flatMap((gateway) => {
    const { namespace } = gateway.metadata;
    const endOf = (secret: Name): string | undefined => core.view.get("Secret", secret)?.certificate?.notAfter;
    return gateway.spec.listeners.flatMap((served): readonly Sample[] => {
      const { name, tls } = served;
      const found = tls === undefined ? undefined : findCertificate(core.view, core.options, gateway, served);
      const named = (tls?.certificateRefs ?? []).map((ref) => nameOf(ref.namespace ?? namespace, ref.name));
      const end =
        found?.found === true ? found.certificate.notAfter : named.flatMap((secret) => endOf(secret) ?? [])[0];
      if (end === undefined) return [];
      const listener = `${nameOfObject("Gateway", gateway)}/${name}`;
      return [{ labels: { name: listener }, value: epochMsOf(end) / 1000 }];
    });
  });

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
    name: "stunner_listener_connections_total",
    help: "Client connections made, by listener.",
    labels: ["name"],
    samples: (_, relay) =>
      relay.listeners.map(({ name, connectionsTotal }) => ({ labels: { name }, value: connectionsTotal })),
  },
  {
    name: "stunner_cluster_packets_total",
    help: "Packets, or pieces of a stream, between the relay and peers that a cluster admits; rx is towards the relay.",
    labels: ["name", "direction"],
    samples: perCluster("packets"),
  },
  {
    name: "stunner_cluster_bytes_total",
    help: "Bytes between the relay and peers that a cluster admits; rx is towards the relay.",
    labels: ["name", "direction"],
    samples: perCluster("bytes"),
  },
  {
    name: "turnpike_allocations",
    help: "Allocations that are open, by the transport of the client and that of peers.",
    labels: ["transport", "peers"],
    samples: (_, relay) => countAllocations(relay),
  },
  {
    name: "turnpike_allocations_opened_total",
    help: "Allocations made, by the transport of the client and that of peers.",
    labels: ["transport", "peers"],
    samples: (_, relay) => byTransports(relay.opened),
  },
  {
    name: "turnpike_allocations_closed_total",
    help: "Allocations ended, by why.",
    labels: ["reason"],
    samples: (_, relay) => byReason(relay.closed),
  },
  {
    name: "turnpike_peer_connections",
    help: "Connections to TCP peers that are open (RFC 6062).",
    labels: [],
    samples: (_, relay) => total(relay.allocations.reduce((sum, { connections }) => sum + connections, 0)),
  },
  {
    name: "turnpike_authentication_failures_total",
    help: "Requests whose credentials were missing, wrong or stale, by the code of the refusal; first challenges are not among them.",
    labels: ["reason"],
    samples: (_, relay) =>
      byReason(Object.fromEntries(Object.entries(relay.refused).filter(([reason]) => AUTHENTICATION.has(reason)))),
  },
  {
    name: "turnpike_peers_denied_total",
    help: "Requests and packets to or from peers that are not admitted, by the code of the denial.",
    labels: ["reason"],
    samples: (_, relay) => byReason(relay.denied),
  },
  {
    name: "turnpike_listener_kernel_drops_total",
    help: "Datagrams that the kernel dropped because a listener's socket was full.",
    labels: ["name"],
    samples: (_, relay) => relay.listeners.map(({ name, kernelDrops }) => ({ labels: { name }, value: kernelDrops })),
  },
  {
    name: "turnpike_listener_handshakes_total",
    help: "TLS and DTLS handshakes, by listener and whether they were completed.",
    labels: ["name", "outcome"],
    samples: (_, relay) =>
      relay.listeners
        .filter(({ protocol }) => protocol === "TURN-TLS" || protocol === "TURN-DTLS")
        .flatMap(({ name, handshakes, failedHandshakes }) => [
          { labels: { name, outcome: "completed" }, value: handshakes },
          { labels: { name, outcome: "failed" }, value: failedHandshakes },
        ]),
  },
  {
    name: "turnpike_requests_refused_total",
    help: "Requests answered with an error, by the code of the refusal.",
    labels: ["reason"],
    samples: (_, relay) => byReason(relay.refused),
  },
  {
    name: "turnpike_packets_dropped_total",
    help: "Datagrams and frames dropped, by the code of the drop.",
    labels: ["reason"],
    samples: (_, relay) => byReason(relay.dropped),
  },
  {
    name: "turnpike_control_queue_requests",
    help: "Requests that wait for their turn behind media; more than 4096 are dropped as control-backlog.",
    labels: [],
    samples: (_, relay) => total(relay.waiting),
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
    samples: ({ journal }) => total(journal.lastSeq()),
  },
  {
    name: "turnpike_journal_disk_refused",
    help: "1 while the disk takes no lines of the event log, which are kept in memory meanwhile; else 0.",
    labels: [],
    samples: ({ journal }) => total(journal.refusal() === undefined ? 0 : 1),
  },
  {
    name: "turnpike_watch_connected",
    help: "1 while changes of objects, or of the config, are heard of; else 0, and what was in force stays.",
    labels: [],
    samples: ({ facts }) => total(facts.isWatching ? 1 : 0),
  },
  {
    name: "turnpike_watch_lost_total",
    help: "How often the watch of objects, or of the config, was lost.",
    labels: [],
    samples: ({ facts }) => total(facts.watchesLost),
  },
  {
    name: "turnpike_list_seconds",
    help: "Seconds from the start, or from a kind's arrival, to its first complete list, by kind and version.",
    labels: ["kind", "version"],
    samples: ({ facts }) =>
      [...facts.lists].map(([key, value]) => {
        const [kind = "", version = ""] = key.split(" ");
        return { labels: { kind, version }, value };
      }),
  },
  {
    name: "turnpike_documents_refused",
    help: "Manifests and configs that are refused now, by the code of the error; the last good ones stay in force.",
    labels: ["code"],
    samples: ({ facts }) => byCode(facts.standing),
  },
  {
    name: "turnpike_documents_refused_total",
    help: "Manifests and configs refused, by the code of the error, those that were put right since included.",
    labels: ["code"],
    samples: ({ facts }) => byCode(facts.rejections),
  },
  {
    name: "turnpike_gateway_config_timestamp_seconds",
    help: "When the config of a gateway last came into force at the relay of this process, in Unix seconds.",
    labels: ["gateway"],
    samples: ({ facts }) =>
      [...facts.published].map(([gateway, time]) => ({ labels: { gateway }, value: time / 1000 })),
  },
  {
    name: "turnpike_certificate_expiry_timestamp_seconds",
    help: "When the certificate that a TLS or DTLS listener serves expires, in Unix seconds.",
    labels: ["name"],
    samples: ({ core }) => [...certificateEnds(core), ...receivedCertificateEnds(core)],
  },
  {
    name: "turnpike_effect_failures_total",
    help: "What could not be brought about, by effect (write, publish, update, serve). Of a row of failures of one sort the first counts, and every tenth.",
    labels: ["effect"],
    samples: ({ facts }) => Object.entries(facts.failures).map(([effect, value]) => ({ labels: { effect }, value })),
  },
  {
    name: "turnpike_workers_lost_total",
    help: "Threads that relay which ended by themselves; each was replaced.",
    labels: [],
    samples: ({ facts }) => total(facts.workersLost),
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
