/**
 * `npm run bench:control`: the operator against a real API server. From an endpoint's change to its config on a discovery
 * watch, with few and with many gateways; from a restart to all configs served; from many Gateways to all their objects.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import type { Client } from "../cluster/client.ts";
import { resetCluster } from "../cluster/reset.ts";
import { addressesOf } from "./manifests.ts";

const bin = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));
const NAMESPACE = "media";
const DISCOVERY = "127.0.0.1:23478";
const METRICS = "127.0.0.1:28080";
const CHANGES = 40;
const PARALLEL = 24;

/** The least value that at least `share` of all do not exceed. */
const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;
const median = (values: readonly number[]): number => quantile(values, 0.5);
const show = (ms: number): string => (ms < 100 ? ms.toFixed(1) : ms.toFixed(0));

const until = async (check: () => Promise<boolean>, everyMs = 50): Promise<void> => {
  while (!(await check().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, everyMs));
};

const inParallel = async (count: number, work: (n: number) => Promise<unknown>): Promise<void> => {
  let next = 0;
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      for (let n = next++; n < count; n = next++) await work(n);
    }),
  );
};

const slice = (n: number, addresses: readonly string[]) => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: `service-${n}-1`, namespace: NAMESPACE, labels: { "kubernetes.io/service-name": `service-${n}` } },
  addressType: "IPv4",
  ports: [{ port: 9000, protocol: "UDP" }],
  endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
});

const gateway = (n: number) => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: {
    name: `gateway-${n}`,
    namespace: NAMESPACE,
    annotations: { "stunner.l7mp.io/service-type": "ClusterIP" },
  },
  spec: { gatewayClassName: "media", listeners: [{ name: "udp", port: 3478, protocol: "TURN-UDP" }] },
});

const backend = (n: number) => [
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `service-${n}`, namespace: NAMESPACE },
    spec: { clusterIP: "None", ports: [{ port: 9000, protocol: "UDP" }] },
  },
  {
    apiVersion: "stunner.l7mp.io/v1",
    kind: "UDPRoute",
    metadata: { name: `route-${n}`, namespace: NAMESPACE },
    spec: { parentRefs: [{ name: `gateway-${n}` }], rules: [{ backendRefs: [{ name: `service-${n}` }] }] },
  },
];

const prepare = async (client: Client): Promise<void> => {
  await client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
  for (const object of [
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "GatewayClass",
      metadata: { name: "media" },
      spec: {
        controllerName: "stunner.l7mp.io/gateway-operator",
        parametersRef: { group: "stunner.l7mp.io", kind: "GatewayConfig", name: "config", namespace: NAMESPACE },
      },
    },
    {
      apiVersion: "stunner.l7mp.io/v1",
      kind: "GatewayConfig",
      metadata: { name: "config", namespace: NAMESPACE },
      spec: { userName: "user-1", password: "pass-1" },
    },
    { apiVersion: "stunner.l7mp.io/v1", kind: "Dataplane", metadata: { name: "default" }, spec: { replicas: 0 } },
  ])
    await client.apply(object);
};

interface Running {
  readonly process: ChildProcess;
  readonly startedAt: number;
  stop(): Promise<void>;
}

const startOperator = (cluster: Cluster, journal: string): Running => {
  const startedAt = performance.now();
  const child = spawn(
    bin,
    [
      "operator",
      "--kubeconfig",
      cluster.kubeconfig,
      "--config-discovery-address",
      DISCOVERY,
      "--metrics-bind-address",
      METRICS,
      "--admin-bind-address",
      "0",
      "--health-probe-bind-address",
      "0",
      "--journal",
      journal,
      "--zap-log-level",
      "error",
    ],
    { stdio: "inherit", env: { ...process.env, STUNNER_GATEWAY_OPERATOR_ADDRESS: "127.0.0.1" } },
  );
  return {
    process: child,
    startedAt,
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGTERM");
      }),
  };
};

const configs = async (): Promise<
  readonly { readonly clusters?: readonly { readonly endpoints?: readonly string[] }[] }[]
> => ((await (await fetch(`http://${DISCOVERY}/api/v1/configs`)).json()) as { items: [] }).items;

/** From the API server's answer to the change until the watcher has the config, in ms. */
const changeLatency = async (client: Client, gateways: number, endpoints: number): Promise<readonly number[]> => {
  const latencies: number[] = [];
  for (let change = 0; change < CHANGES; change += 1) {
    const n = (change * 37) % gateways;
    const marker = `172.16.${change}.${n % 250}`;
    const socket = new WebSocket(`ws://${DISCOVERY}/api/v1/configs/${NAMESPACE}/gateway-${n}?watch=true`);
    await new Promise((resolve) => socket.once("message", resolve));
    const told = new Promise<number>((resolve) =>
      socket.on("message", (data: Buffer) => {
        if (data.includes(marker)) resolve(performance.now());
      }),
    );
    // From the request on: what the API server itself takes is part of it.
    const before = performance.now();
    await client.apply(slice(n, [...addressesOf(n, endpoints - 1), marker]));
    latencies.push((await told) - before);
    socket.terminate();
  }
  return latencies;
};

const memoryMiB = (child: ChildProcess): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024;

const requests = async (): Promise<string> =>
  [
    ...(await (await fetch(`http://${METRICS}/metrics`)).text()).matchAll(
      /^turnpike_api_requests_total\{method="(\w+)"\} (\d+)/gm,
    ),
  ]
    .map(([, method, count]) => `${count} ${method}`)
    .join(", ");

const scale = async (cluster: Cluster, gateways: number, endpoints: number): Promise<void> => {
  const { client } = cluster;
  const journal = mkdtempSync(join(tmpdir(), "turnpike-control-"));
  await resetCluster(client);
  await prepare(client);
  await inParallel(gateways, async (n) => {
    for (const object of backend(n)) await client.apply(object);
    await client.apply(slice(n, addressesOf(n, endpoints)));
  });

  let operator = startOperator(cluster, journal);
  await until(async () => (await fetch(`http://${DISCOVERY}/api/v1/configs`)).ok);
  const before = performance.now();
  await inParallel(gateways, (n) => client.apply(gateway(n)));
  const created = performance.now() - before;
  const count = async (
    apiVersion: string,
    kind: string,
    is: (object: { status?: { conditions?: { type: string; status: string }[] } }) => boolean = () => true,
  ): Promise<number> =>
    (
      await client.list<{ metadata: { name: string }; status?: { conditions?: { type: string; status: string }[] } }>({
        apiVersion,
        kind,
        namespace: NAMESPACE,
      })
    ).filter((object) => object.metadata.name.startsWith("gateway-") && is(object)).length;
  await until(
    async () =>
      (await count("apps/v1", "Deployment")) === gateways &&
      (await count("v1", "Service")) === gateways &&
      (await count(
        "gateway.networking.k8s.io/v1",
        "Gateway",
        ({ status }) =>
          status?.conditions?.some(({ type, status: is }) => type === "Accepted" && is === "True") === true,
      )) === gateways,
    200,
  );
  console.log(`${gateways} gateways × ${endpoints} endpoints`);
  console.log(
    `  created at once in ${show(created)} ms; all have Deployment, Service and status after ${show(performance.now() - before)} ms`,
  );

  const latencies = await changeLatency(client, gateways, endpoints);
  console.log(
    `  endpoint change → config on a discovery watch: median ${show(median(latencies))} ms, p95 ${show(quantile(latencies, 0.95))} ms (${show(Math.min(...latencies))} to ${show(Math.max(...latencies))}), the API server's own time included`,
  );
  console.log(`  peak memory ${show(memoryMiB(operator.process))} MiB; API requests so far ${await requests()}`);
  await operator.stop();

  const restarts: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    operator = startOperator(cluster, journal);
    await until(
      async () =>
        (await configs()).filter(({ clusters }) => (clusters?.[0]?.endpoints?.length ?? 0) >= endpoints).length ===
        gateways,
      10,
    );
    restarts.push(performance.now() - operator.startedAt);
    if (round === 2)
      console.log(
        `  restart → all configs served: median ${show(median(restarts))} ms (${show(Math.min(...restarts))} to ${show(Math.max(...restarts))}); its memory ${show(memoryMiB(operator.process))} MiB, its API requests ${await requests()}`,
      );
    await operator.stop();
  }
  rmSync(journal, { recursive: true });
};

const sizes = process.argv.slice(2).length > 0 ? process.argv.slice(2) : ["20x10", "200x50", "1000x50"];
const cluster = await startCluster();
try {
  for (const size of sizes) {
    const [gateways = 20, endpoints = 10] = size.split("x").map(Number);
    await scale(cluster, gateways, endpoints);
  }
} finally {
  await cluster.stop();
}
