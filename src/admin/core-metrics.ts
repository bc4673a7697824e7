/** The metrics of all that is not the relay: machines, API requests, the event log, watches, documents and effects. */
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
    samples: ({ facts }) => by("code", facts.standing),
  },
  {
    name: "turnpike_documents_refused_total",
    help: "Manifests and configs refused, by the code of the error, those that were put right since included.",
    labels: ["code"],
    samples: ({ facts }) => by("code", facts.rejections),
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
    samples: ({ core }) => certificateEnds(core),
  },
  {
    name: "turnpike_effect_failures_total",
    help: "What could not be brought about, by effect (write, publish, update, serve). Of a row of failures of one sort the first counts, and every tenth.",
    labels: ["effect"],
    samples: ({ facts }) => by("effect", facts.failures),
  },
  {
    name: "turnpike_workers_lost_total",
    help: "Threads that relay which ended by themselves; each was replaced.",
    labels: [],
    samples: ({ facts }) => total(facts.workersLost),
  },
];
