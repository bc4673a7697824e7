/** Statuses of dataplane pods as tables, and in the lines of STUNner's `stunnerctl status`. */
import type { PodAnswer, PodStatus } from "./pod-status.ts";
import { table } from "./table.ts";

type Listener = NonNullable<PodStatus["listeners"]>[number];
type Cluster = NonNullable<PodStatus["clusters"]>[number];

const traffic = ({ stats }: Listener | Cluster, way: "rx" | "tx"): string =>
  `${stats?.[way]?.pkts ?? 0} pkts ${stats?.[way]?.bytes ?? 0} B`;

const publicOf = ({ public_address: address, public_port: port }: Listener): string =>
  `${address || "-"}:${port || "-"}`;

const plain = (value: unknown): string =>
  typeof value === "string" || typeof value === "number"
    ? String(value)
    : value === undefined
      ? ""
      : JSON.stringify(value);

const text = (value: unknown): string => plain(value) || "-";

export const podTables = (answers: readonly PodAnswer[]): string => {
  const answered = answers.flatMap((one) => (one.answered ? [one] : []));
  return [
    table(
      ["POD", "GATEWAY", "STATUS", "ALLOCATIONS", "AUTH", "REALM"],
      answers.map((one) =>
        one.answered
          ? [
              one.pod,
              text(one.status.admin?.["name"]),
              text(one.status.status),
              text(one.status.allocationCount),
              text(one.status.auth?.type),
              text(one.status.auth?.realm),
            ]
          : [one.pod, "-", `no answer: ${one.reason}`],
      ),
    ),
    table(
      ["LISTENER", "POD", "PROTOCOL", "AT", "PUBLIC", "ROUTES", "FROM CLIENTS", "TO CLIENTS"],
      answered.flatMap(({ pod, status }) =>
        (status.listeners ?? []).map((one) => [
          one.name,
          pod,
          text(one.protocol),
          `${text(one.address)}:${text(one.port)}`,
          publicOf(one),
          (one.routes ?? []).join(" ") || "-",
          traffic(one, "rx"),
          traffic(one, "tx"),
        ]),
      ),
    ),
    table(
      ["CLUSTER", "POD", "TYPE", "PROTOCOL", "ENDPOINTS", "FROM PEERS", "TO PEERS"],
      answered.flatMap(({ pod, status }) =>
        (status.clusters ?? []).map((one) => [
          one.name,
          pod,
          text(one.type),
          text(one.protocol),
          (one.endpoints ?? []).join(" ") || "-",
          traffic(one, "rx"),
          traffic(one, "tx"),
        ]),
      ),
    ),
  ].join("\n");
};

const offload = ({ stats }: Listener | Cluster): string =>
  `offload(rx/tx): ${stats?.rx?.pkts ?? 0}/${stats?.tx?.pkts ?? 0} pkts ${stats?.rx?.bytes ?? 0}/${stats?.tx?.bytes ?? 0} bytes`;

const adminLine = (admin: Readonly<Record<string, unknown>> = {}): string => {
  const field = (name: string): string => plain(admin[name]);
  return `admin:{id="${field("name")}",logLevel="${field("loglevel")}",metrics="${field("metrics_endpoint")}",health-check="${field("healthcheck_endpoint")}",quota=${field("quota") || 0},license-info=${field("licensing_info")},offload=${field("offload")}}`;
};

const authLine = ({ type = "static", realm = "" }: NonNullable<PodStatus["auth"]> = {}): string =>
  type === "ephemeral"
    ? `${type}-auth:{realm="${realm}",secret="<SECRET>"}`
    : `${type}-auth:{realm="${realm}",username="<SECRET>",password="<SECRET>"}`;

const listenerLine = (one: Listener): string =>
  `listeners:"${one.name}":{turn://${one.address ?? ""}:${one.port ?? 0}?transport=${one.protocol ?? ""},public=${one.public_address ?? ""}:${one.public_port ?? 0},cert/key=${one.cert ? "<SECRET>" : "-"}/${one.key ? "<SECRET>" : "-"},routes=[${(one.routes ?? []).join(",")}]},${offload(one)}`;

const clusterLine = (one: Cluster): string =>
  `clusters:"${one.name}":{type="${one.type ?? ""}",protocol="${one.protocol ?? ""}",endpoints=[${(one.endpoints ?? []).join(",")}]},${offload(one)}`;

export const podSummary = (answers: readonly PodAnswer[]): string =>
  answers
    .flatMap((one) => (one.answered ? [one] : []))
    .map(({ pod, status }) =>
      [
        `${pod}:`,
        `\t${adminLine(status.admin)}`,
        `\t${authLine(status.auth)}`,
        ...(status.listeners ?? []).map((listener) => `\t${listenerLine(listener)}`),
        ...(status.clusters ?? []).map((cluster) => `\t${clusterLine(cluster)}`),
        `\tallocs:${status.allocationCount ?? 0}/status=${status.status ?? ""}`,
        "",
      ].join("\n"),
    )
    .join("");
