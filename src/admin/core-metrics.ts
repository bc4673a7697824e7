/** The metrics of everything except the relay: machines, API requests, the event log, watches, documents and effects. */
import { certificateEnds } from "./certificate-ends.ts";
import { by, total, type Metric, type MetricSources } from "./metric.ts";

const countStates =
  (machine: "gateway" | "listener" | "route" | "endpoint") =>
  ({ core }: MetricSources) => {
    const counts = new Map<string, number>();
    for (const state of core.registry.entities(machine).values()) counts.set(state, (counts.get(state) ?? 0) + 1);
    return [...counts].map(([state, value]) => ({ labels: { state }, value }));
  };

export const coreMetrics: readonly Metric[] = [
  {
    name: "turnpike_gateways",
    help: "Gateways, by state of their state machine.",
    labels: ["state"],
    samples: countStates("gateway"),
  },
  {
    name: "turnpike_listeners",
    help: "Listeners, by state of their state machine.",
    labels: ["state"],
    samples: countStates("listener"),
  },
  {
    name: "turnpike_routes",
    help: "Routes, by state of their state machine.",
    labels: ["state"],
    samples: countStates("route"),
  },
  {
    name: "turnpike_endpoints",
    help: "Backend endpoints, by state of their state machine.",
    labels: ["state"],
    samples: countStates("endpoint"),
  },
  {
    name: "turnpike_api_requests_total",
    help: "Requests made to the API server, by method.",
    labels: ["method"],
    samples: ({ apiRequests = {} }) => by("method", apiRequests),
  },
  {
    name: "turnpike_journal_sequence",
    help: "Sequence number of the last line of the event log.",
    labels: [],
    samples: ({ journal }) => total(journal.lastSeq()),
  },
  {
    name: "turnpike_journal_disk_refused",
    help: "1 if the event log cannot be written to disk (its lines are kept in memory meanwhile), 0 otherwise.",
    labels: [],
    samples: ({ journal }) => total(journal.refusal() === undefined ? 0 : 1),
  },
  {
    name: "turnpike_draining",
    help: "1 while the process ends and serves only the allocations that are still open, 0 otherwise. Autoscalers leave out such pods.",
    labels: [],
    samples: ({ core }) => total(core.registry.state("operator", "operator") === "draining" ? 1 : 0),
  },
  {
    name: "turnpike_watch_connected",
    help: "1 if the watch of objects or of the config is connected, 0 otherwise; while it is 0, the last configuration stays active.",
    labels: [],
    samples: ({ facts }) => total(facts.isWatching ? 1 : 0),
  },
  {
    name: "turnpike_watch_lost_total",
    help: "Number of times the watch of objects or of the config was lost.",
    labels: [],
    samples: ({ facts }) => total(facts.watchesLost),
  },
  {
    name: "turnpike_list_seconds",
    help: "Seconds from the start, or from the time a kind was installed, to its first complete list, by kind and version.",
    labels: ["kind", "version"],
    samples: ({ facts }) =>
      [...facts.lists].map(([key, value]) => {
        const [kind = "", version = ""] = key.split(" ");
        return { labels: { kind, version }, value };
      }),
  },
  {
    name: "turnpike_documents_refused",
    help: "Manifests and configs that are currently rejected, by error code; the last valid ones stay active.",
    labels: ["code"],
    samples: ({ facts }) => by("code", facts.standing),
  },
  {
    name: "turnpike_documents_refused_total",
    help: "Manifests and configs rejected, by error code, including those that were corrected since.",
    labels: ["code"],
    samples: ({ facts }) => by("code", facts.rejections),
  },
  {
    name: "turnpike_gateway_config_timestamp_seconds",
    help: "Unix time at which the relay of this process last applied the config of a gateway.",
    labels: ["gateway"],
    samples: ({ facts }) =>
      [...facts.published].map(([gateway, time]) => ({ labels: { gateway }, value: time / 1000 })),
  },
  {
    name: "turnpike_certificate_expiry_timestamp_seconds",
    help: "Unix time at which the certificate of a TLS or DTLS listener expires.",
    labels: ["name"],
    samples: ({ core }) => certificateEnds(core),
  },
  {
    name: "turnpike_effect_failures_total",
    help: "Failed effects, by effect (write, publish, update, serve, account; list, measure and annotate for deletion costs). In a series of equal failures the first and every tenth are counted.",
    labels: ["effect"],
    samples: ({ facts }) => by("effect", facts.failures),
  },
  {
    name: "turnpike_workers_lost_total",
    help: "Relay workers that exited unexpectedly and were restarted.",
    labels: [],
    samples: ({ facts }) => total(facts.workersLost),
  },
];
