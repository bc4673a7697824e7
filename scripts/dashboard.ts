/** Writes `deploy/dashboards/turnpike.json`, for Grafana. `test/telemetry/monitoring.test.ts` keeps it true. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const WIDTH = 24;
const HEIGHT = 8;

interface Panel {
  readonly title: string;
  readonly says: string;
  /** Legend and expression; `SELECTOR` stands for the processes that are looked at. */
  readonly series: readonly (readonly [legend: string, expression: string])[];
  /** As Grafana names it. */
  readonly unit?: string;
  readonly type?: "timeseries" | "stat";
  /** Of 24. */
  readonly width?: number;
}

const ofProcesses = (expression: string): string =>
  expression
    .replaceAll(/SELECTOR\{/g, '{job=~"$job",instance=~"$instance",')
    .replaceAll("SELECTOR", '{job=~"$job",instance=~"$instance"}');

/** A counter, a second. */
const rate = (metric: string): string => `rate(${metric}SELECTOR[$__rate_interval])`;

const rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[] = [
  {
    title: "At a glance",
    panels: [
      {
        title: "Allocations",
        says: "Open now.",
        series: [["", "sum(turnpike_allocationsSELECTOR)"]],
        type: "stat",
        width: 4,
      },
      {
        title: "Listeners that serve",
        says: "Over all processes that relay.",
        series: [["", 'sum(turnpike_listenersSELECTOR{state="serving"})']],
        type: "stat",
        width: 4,
      },
      {
        title: "Listeners that do not",
        says: "Failed: no socket could be bound. Refused: the Gateway's status says why.",
        series: [["", 'sum(turnpike_listenersSELECTOR{state=~"failed|refused"}) or vector(0)']],
        type: "stat",
        width: 4,
      },
      {
        title: "Gateways without a config",
        says: "Invalid: the status says why.",
        series: [["", 'sum(turnpike_gatewaysSELECTOR{state="invalid"}) or vector(0)']],
        type: "stat",
        width: 4,
      },
      {
        title: "Documents refused",
        says: "Manifests and configs that are currently rejected; the last valid ones stay active.",
        series: [["", "sum(turnpike_documents_refusedSELECTOR) or vector(0)"]],
        type: "stat",
        width: 4,
      },
      {
        title: "Processes that watch",
        says: "Those whose watch is connected, of all.",
        series: [
          ["watch", "sum(turnpike_watch_connectedSELECTOR)"],
          ["all", "count(turnpike_watch_connectedSELECTOR)"],
        ],
        type: "stat",
        width: 4,
      },
    ],
  },
  {
    title: "Calls",
    panels: [
      {
        title: "Allocations",
        says: "Open, by how clients and how peers are reached.",
        series: [["{{transport}} → {{peers}}", "sum by (transport, peers) (turnpike_allocationsSELECTOR)"]],
      },
      {
        title: "Allocations made and ended",
        says: "Per second; ended, by reason.",
        series: [
          ["made", `sum(${rate("turnpike_allocations_opened_total")})`],
          ["ended: {{reason}}", `sum by (reason) (${rate("turnpike_allocations_closed_total")})`],
        ],
        unit: "ops",
      },
      {
        title: "Packets at listeners",
        says: "rx is from clients, tx is to clients.",
        series: [["{{direction}} {{name}}", `sum by (direction, name) (${rate("stunner_listener_packets_total")})`]],
        unit: "pps",
      },
      {
        title: "Bytes at listeners",
        says: "rx is from clients, tx is to clients.",
        series: [["{{direction}} {{name}}", `sum by (direction, name) (${rate("stunner_listener_bytes_total")})`]],
        unit: "Bps",
      },
      {
        title: "Packets at clusters",
        says: "rx is from peers, tx is to peers.",
        series: [["{{direction}} {{name}}", `sum by (direction, name) (${rate("stunner_cluster_packets_total")})`]],
        unit: "pps",
      },
      {
        title: "Bytes at clusters",
        says: "rx is from peers, tx is to peers.",
        series: [["{{direction}} {{name}}", `sum by (direction, name) (${rate("stunner_cluster_bytes_total")})`]],
        unit: "Bps",
      },
      {
        title: "Connections",
        says: "Of clients, by listener, and to TCP peers.",
        series: [
          ["{{name}}", "sum by (name) (stunner_listener_connectionsSELECTOR)"],
          ["to TCP peers", "sum(turnpike_peer_connectionsSELECTOR)"],
        ],
      },
      {
        title: "Handshakes",
        says: "TLS and DTLS, a second.",
        series: [["{{outcome}} {{name}}", `sum by (outcome, name) (${rate("turnpike_listener_handshakes_total")})`]],
        unit: "ops",
      },
    ],
  },
  {
    title: "Refusals",
    panels: [
      {
        title: "Peers denied",
        says: "A second, by the code of the denial (docs/reference/reasons.md).",
        series: [["{{reason}}", `sum by (reason) (${rate("turnpike_peers_denied_total")})`]],
        unit: "ops",
      },
      {
        title: "Authentication failures",
        says: "A second, by the code of the refusal.",
        series: [["{{reason}}", `sum by (reason) (${rate("turnpike_authentication_failures_total")})`]],
        unit: "ops",
      },
      {
        title: "Requests refused",
        says: "A second, by the code of the refusal; first challenges left out.",
        series: [
          [
            "{{reason}}",
            'sum by (reason) (rate(turnpike_requests_refused_totalSELECTOR{reason!="401 challenge"}[$__rate_interval]))',
          ],
        ],
        unit: "ops",
      },
      {
        title: "Packets dropped",
        says: "A second, by the code of the drop.",
        series: [["{{reason}}", `sum by (reason) (${rate("turnpike_packets_dropped_total")})`]],
        unit: "pps",
      },
      {
        title: "Dropped by the kernel",
        says: "Datagrams for which a listener's socket had no room.",
        series: [["{{name}}", `sum by (name) (${rate("turnpike_listener_kernel_drops_total")})`]],
        unit: "pps",
      },
      {
        title: "Requests that wait",
        says: "Behind media; what does not fit is dropped as control-backlog.",
        series: [
          ["waiting", "sum(turnpike_control_queue_requestsSELECTOR)"],
          [
            "dropped a second",
            'sum(rate(turnpike_packets_dropped_totalSELECTOR{reason="control-backlog"}[$__rate_interval]))',
          ],
        ],
      },
    ],
  },
  {
    title: "Control",
    panels: [
      {
        title: "Gateways",
        says: "By state.",
        series: [["{{state}}", "sum by (state) (turnpike_gatewaysSELECTOR)"]],
      },
      {
        title: "Listeners",
        says: "By state.",
        series: [["{{state}}", "sum by (state) (turnpike_listenersSELECTOR)"]],
      },
      { title: "Routes", says: "By state.", series: [["{{state}}", "sum by (state) (turnpike_routesSELECTOR)"]] },
      {
        title: "Endpoints",
        says: "By state. Those that terminate stay admitted, so that calls drain.",
        series: [["{{state}}", "sum by (state) (turnpike_endpointsSELECTOR)"]],
      },
      {
        title: "Age of configs",
        says: "Since the config of a gateway last came into force. Old is bad only where the watch is lost.",
        series: [
          ["{{gateway}} {{instance}}", "time() - turnpike_gateway_config_timestamp_secondsSELECTOR"],
          ["watch lost: {{instance}}", "turnpike_watch_connectedSELECTOR == 0"],
        ],
        unit: "s",
      },
      {
        title: "Certificates end in",
        says: "Of TLS and DTLS listeners.",
        series: [["{{name}}", "min by (name) (turnpike_certificate_expiry_timestamp_secondsSELECTOR) - time()"]],
        unit: "s",
      },
      {
        title: "Failures",
        says: "Failed effects, rejected documents, lost watches and lost threads.",
        series: [
          ["{{effect}}", "sum by (effect) (increase(turnpike_effect_failures_totalSELECTOR[$__rate_interval]))"],
          ["{{code}}", "sum by (code) (increase(turnpike_documents_refused_totalSELECTOR[$__rate_interval]))"],
          ["watch lost", "sum(increase(turnpike_watch_lost_totalSELECTOR[$__rate_interval]))"],
          ["worker lost", "sum(increase(turnpike_workers_lost_totalSELECTOR[$__rate_interval]))"],
        ],
      },
      {
        title: "Event log",
        says: "Lines a second; 1 where the disk takes none.",
        series: [
          ["lines", "sum(deriv(turnpike_journal_sequenceSELECTOR[5m]))"],
          ["refused by the disk: {{instance}}", "turnpike_journal_disk_refusedSELECTOR"],
        ],
      },
      {
        title: "Folds and writes",
        says: "Of the operator, a second.",
        series: [
          ["folds", `sum(${rate("stunner_gateway_operator_render_total")})`],
          ["writes: {{result}}", `sum by (result) (${rate("stunner_gateway_operator_update_total")})`],
          ["requests: {{method}}", `sum by (method) (${rate("turnpike_api_requests_total")})`],
        ],
        unit: "ops",
      },
      {
        title: "Time of folds and writes",
        says: "Of the operator; 99 of 100 take less.",
        series: [
          [
            "fold",
            `histogram_quantile(0.99, sum by (le) (${rate("stunner_gateway_operator_render_time_seconds_bucket")}))`,
          ],
          [
            "write",
            `histogram_quantile(0.99, sum by (le) (${rate("stunner_gateway_operator_update_time_seconds_bucket")}))`,
          ],
        ],
        unit: "s",
      },
      {
        title: "CPU",
        says: "Cores in use.",
        series: [["{{instance}}", rate("process_cpu_seconds_total")]],
      },
      {
        title: "Memory",
        says: "Resident.",
        series: [["{{instance}}", "process_resident_memory_bytesSELECTOR"]],
        unit: "bytes",
      },
    ],
  },
];

const datasource = { type: "prometheus", uid: "${datasource}" };

const panelOf = ({ title, says, series, unit, type = "timeseries" }: Panel, id: number, gridPos: object) => ({
  id,
  type,
  title,
  description: says,
  datasource,
  gridPos,
  fieldConfig: { defaults: { ...(unit === undefined ? {} : { unit }), min: 0 }, overrides: [] },
  options:
    type === "stat"
      ? { reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false }, colorMode: "value", graphMode: "area" }
      : { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } },
  targets: series.map(([legendFormat, expression], index) => ({
    refId: String.fromCodePoint(65 + index),
    datasource,
    expr: ofProcesses(expression),
    legendFormat,
  })),
});

const panels = (): readonly unknown[] => {
  const made: unknown[] = [];
  let y = 0;
  for (const { title, panels: row } of rows) {
    made.push({
      id: made.length + 1,
      type: "row",
      title,
      collapsed: false,
      panels: [],
      gridPos: { h: 1, w: WIDTH, x: 0, y },
    });
    y += 1;
    let x = 0;
    let height = 0;
    for (const panel of row) {
      const { width: w = WIDTH / 2, type } = panel;
      const h = type === "stat" ? HEIGHT / 2 : HEIGHT;
      if (x + w > WIDTH) {
        x = 0;
        y += height;
      }
      height = h;
      made.push(panelOf(panel, made.length + 1, { h, w, x, y }));
      x += w;
    }
    y += height;
  }
  return made;
};

const variable = (name: string, of: string) => ({
  name,
  type: "query",
  datasource,
  query: { query: `label_values(${of}, ${name})`, refId: name },
  definition: `label_values(${of}, ${name})`,
  includeAll: true,
  multi: true,
  current: { text: "All", value: "$__all" },
  refresh: 2,
  sort: 1,
});

export const dashboard = {
  uid: "turnpike",
  title: "Turnpike",
  description: "Gateways, calls and refusals of Turnpike's operator and dataplanes.",
  tags: ["turnpike", "turn", "webrtc"],
  schemaVersion: 39,
  editable: true,
  refresh: "30s",
  time: { from: "now-1h", to: "now" },
  templating: {
    list: [
      { name: "datasource", type: "datasource", query: "prometheus", current: {} },
      variable("job", "turnpike_journal_sequence"),
      variable("instance", 'turnpike_journal_sequence{job=~"$job"}'),
    ],
  },
  panels: panels(),
};

export const dashboardText = `${JSON.stringify(dashboard, undefined, 2)}\n`;

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(new URL("../deploy/dashboards/turnpike.json", import.meta.url), dashboardText);
