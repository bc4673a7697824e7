/** The metrics of the relay: listeners, allocations, peers, rejections and drops. */
import { openAllocations, type RelaySummary } from "../dataplane/relay.ts";
import type { RefusalCode } from "../reasons.ts";
import { by, total, type Metric, type MetricSources, type Sample } from "./metric.ts";

const perListener =
  (unit: "bytes" | "packets") =>
  (_: MetricSources, relay: RelaySummary): readonly Sample[] =>
    relay.listeners.flatMap(({ name, bytesIn, bytesOut, packetsIn, packetsOut }) => [
      { labels: { name, direction: "rx" }, value: unit === "bytes" ? bytesIn : packetsIn },
      { labels: { name, direction: "tx" }, value: unit === "bytes" ? bytesOut : packetsOut },
    ]);

/** On the peer side: rx is data from peers. */
const perCluster =
  (unit: "bytes" | "packets") =>
  (_: MetricSources, relay: RelaySummary): readonly Sample[] =>
    relay.clusters.flatMap(({ name, bytesIn, bytesOut, packetsIn, packetsOut }) => [
      { labels: { name, direction: "rx" }, value: unit === "bytes" ? bytesOut : packetsOut },
      { labels: { name, direction: "tx" }, value: unit === "bytes" ? bytesIn : packetsIn },
    ]);

/** Authentication failures, without the challenge that every client gets first. */
const AUTHENTICATION: ReadonlySet<string> = new Set<RefusalCode>([
  "400 missing-credentials",
  "400 password-algorithm",
  "401 realm",
  "401 credentials",
  "403 stun-only",
  "438 stale-nonce",
  "441 other-user",
]);

const byTransports = (counters: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(counters).map(([key, value]) => {
    const [transport = "", peers = ""] = key.split(" ");
    return { labels: { transport, peers }, value };
  });

const channelsByWay = ({ open: { channels }, offload }: RelaySummary): readonly Sample[] =>
  offload === undefined || offload.engine === "None"
    ? []
    : [
        { labels: { way: "kernel" }, value: channels.kernel },
        { labels: { way: "user space" }, value: channels.userSpace },
      ];

export const relayMetrics: readonly Metric[] = [
  {
    name: "stunner_allocations_active",
    help: "Open allocations.",
    labels: [],
    samples: (_, relay) => total(openAllocations(relay)),
  },
  {
    name: "stunner_listener_connections",
    help: "Open client connections, by listener.",
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
    help: "Client connections accepted, by listener.",
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
    help: "Open allocations, by transport of the client and of the peers.",
    labels: ["transport", "peers"],
    samples: (_, relay) => byTransports(relay.open.allocations),
  },
  {
    name: "turnpike_allocations_opened_total",
    help: "Allocations created, by transport of the client and of the peers.",
    labels: ["transport", "peers"],
    samples: (_, relay) => byTransports(relay.opened),
  },
  {
    name: "turnpike_allocations_moved_total",
    help: "Allocations that their clients moved to another address (RFC 8016), by transport of the client.",
    labels: ["transport"],
    samples: (_, relay) => by("transport", relay.moved),
  },
  {
    name: "turnpike_allocations_closed_total",
    help: "Allocations ended, by reason.",
    labels: ["reason"],
    samples: (_, relay) => by("reason", relay.closed),
  },
  {
    name: "turnpike_peer_connections",
    help: "Open connections to TCP peers (RFC 6062).",
    labels: [],
    samples: (_, relay) => total(relay.open.connections),
  },
  {
    name: "turnpike_authentication_failures_total",
    help: "Requests with missing, wrong or stale credentials, by refusal code; does not count initial challenges.",
    labels: ["reason"],
    samples: (_, relay) =>
      by("reason", Object.fromEntries(Object.entries(relay.refused).filter(([reason]) => AUTHENTICATION.has(reason)))),
  },
  {
    name: "turnpike_peers_denied_total",
    help: "Requests and packets to or from peers that are not admitted, by denial code.",
    labels: ["reason"],
    samples: (_, relay) => by("reason", relay.denied),
  },
  {
    name: "turnpike_listener_kernel_drops_total",
    help: "Datagrams that the kernel dropped because a listener's socket was full.",
    labels: ["name"],
    samples: (_, relay) => relay.listeners.map(({ name, kernelDrops }) => ({ labels: { name }, value: kernelDrops })),
  },
  {
    name: "turnpike_listener_handshakes_total",
    help: "TLS and DTLS handshakes, by listener and outcome.",
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
    name: "turnpike_listener_http_connections",
    help: "Open connections that a listener passes on to its HTTP backend.",
    labels: ["name"],
    samples: (_, relay) =>
      relay.listeners.map(({ name, httpConnections }) => ({ labels: { name }, value: httpConnections })),
  },
  {
    name: "turnpike_listener_http_connections_total",
    help: "Connections that the HTTP backend of a listener has accepted.",
    labels: ["name"],
    samples: (_, relay) =>
      relay.listeners.map(({ name, httpConnectionsTotal }) => ({ labels: { name }, value: httpConnectionsTotal })),
  },
  {
    name: "turnpike_requests_refused_total",
    help: "Requests answered with an error, by refusal code.",
    labels: ["reason"],
    samples: (_, relay) => by("reason", relay.refused),
  },
  {
    name: "turnpike_packets_dropped_total",
    help: "Datagrams and frames dropped, by drop code.",
    labels: ["reason"],
    samples: (_, relay) => by("reason", relay.dropped),
  },
  {
    name: "turnpike_relay_ports",
    help: "Relayed transport addresses in use, by family. Only with a range of ports.",
    labels: ["family"],
    samples: (_, { relayPorts }) => (relayPorts === undefined ? [] : by("family", relayPorts.inUse)),
  },
  {
    name: "turnpike_relay_ports_max",
    help: "Ports of the range, for each family. Only with a range of ports.",
    labels: [],
    samples: (_, { relayPorts }) => (relayPorts === undefined ? [] : total(relayPorts.limit)),
  },
  {
    name: "turnpike_offload_active",
    help: "1 if offload is active; 0 if a config asks for it but it is unavailable.",
    labels: [],
    samples: (_, { offload }) => (offload === undefined ? [] : total(offload.engine === "None" ? 0 : 1)),
  },
  {
    name: "turnpike_offload_channels",
    help: "Channels by what forwards their packets: `kernel` or `user space`. Only while offload is active.",
    labels: ["way"],
    samples: (_, relay) => channelsByWay(relay),
  },
  {
    name: "turnpike_offload_passed_total",
    help: "Datagrams that the offload program passed to user space, by reason.",
    labels: ["reason"],
    samples: (_, { offload }) =>
      offload === undefined || offload.engine === "None" ? [] : by("reason", offload.passed),
  },
  {
    name: "turnpike_offload_xdp_packets_total",
    help: "Packets that XDP forwarded in the driver of an interface. Only while XDP is active.",
    labels: [],
    samples: (_, { offload }) => (offload?.engine === "XDP" ? total(offload.byXdp) : []),
  },
  {
    name: "turnpike_control_queue_requests",
    help: "Requests that wait while media is relayed; beyond 4096 they are dropped as control-backlog.",
    labels: [],
    samples: (_, relay) => total(relay.waiting),
  },
];
