/**
 * `turnpike icetest` on a real API server, with our operator, dataplane and far end in pods; and what it says when something
 * is missing. Nobody gives Gateways addresses here but the test.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { startOperator, type Operator } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { turnpike } from "../support/commands.ts";
import { STUNNERD } from "../support/dataplane-process.ts";
import { enterOwnNetwork, HOST_ADDRESS } from "../support/network.ts";
import { orAbsent } from "./client.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { NodeAgent, Pod } from "./node-agent.ts";
import { startServicedNode } from "./serviced-node.ts";

const NAMESPACE = "icetest";
const GATEWAYS = ["icetest-udp-gateway", "icetest-tcp-gateway"];
const DISCOVERY = 13_478;

let cluster: Cluster;
let node: NodeAgent;
let operator: Operator;
let root: string;
let givesAddresses: AbortController;

beforeAll(async () => {
  enterOwnNetwork();
  root = mkdtempSync(join(tmpdir(), "turnpike-icetest-"));
  cluster = await startCluster();
  const icetester = fileURLToPath(new URL("../../bin/icetester", import.meta.url));
  node = await startServicedNode(cluster, { stunnerd: [STUNNERD], icetester: [icetester] }, root);
  await cluster.client.apply({
    apiVersion: "stunner.l7mp.io/v1",
    kind: "Dataplane",
    metadata: { name: "default" },
    spec: { image: "example.org/turnpike", command: ["stunnerd"], args: ["-w", "--udp-thread-num=1"] },
  });
  operator = await startOperator({
    kubeconfig: cluster.kubeconfig,
    render: operatorOptions({ discoveryAddress: `${HOST_ADDRESS}:${DISCOVERY}` }),
    journal: join(root, "operator"),
    discovery: { host: "0.0.0.0", port: DISCOVERY },
    finalizer: false,
    log: pino({ level: "silent" }),
  });
});
afterEach(() => givesAddresses?.abort());
afterAll(async () => {
  await operator?.stop("test");
  await node?.close();
  await cluster?.stop();
  rmSync(root, { recursive: true, force: true });
});

/** A load balancer: the address of each Gateway's Service is that of the pod behind it. */
const giveAddresses = async (signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    const pods = await cluster.client.list<Pod>({
      apiVersion: "v1",
      kind: "Pod",
      namespace: NAMESPACE,
      labelSelector: "app=stunner",
    });
    for (const name of GATEWAYS) {
      const pod = pods.find(({ metadata }) => metadata.labels?.["stunner.l7mp.io/related-gateway-name"] === name);
      const ip = node.addressOf(pod?.metadata.name ?? "");
      const service = { apiVersion: "v1", kind: "Service", metadata: { name, namespace: NAMESPACE } };
      if (ip !== undefined)
        await cluster.client.patchStatus(service, { loadBalancer: { ingress: [{ ip }] } }).catch(orAbsent);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

const icetest = (...args: readonly string[]) =>
  turnpike([
    "icetest",
    ...args,
    "--kubeconfig",
    cluster.kubeconfig,
    "--discovery",
    `127.0.0.1:${DISCOVERY}`,
    "--in-cluster",
    "--ice-tester-image",
    "example.org/turnpike",
  ]);

const isGone = async (): Promise<void> => {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } };
  expect(await cluster.client.get(namespace).catch(orAbsent)).toBeUndefined();
  for (const kind of ["GatewayClass", "Dataplane"] as const) {
    const apiVersion = kind === "Dataplane" ? "stunner.l7mp.io/v1" : "gateway.networking.k8s.io/v1";
    const names = (await cluster.client.list({ apiVersion, kind })).map(({ metadata }) => metadata.name);
    expect(names.filter((name) => name.startsWith("icetest"))).toEqual([]);
  }
};

it("holds calls over UDP and TCP, one end relayed and both, and leaves nothing", async () => {
  givesAddresses = new AbortController();
  const giving = giveAddresses(givesAddresses.signal);
  const { code, stdout, stderr } = await icetest("udp", "tcp", "--duration", "2s", "--timeout", "4m", "-o", "json");
  givesAddresses.abort();
  await giving;
  expect(stderr).not.toContain("error");
  expect(code).toBe(0);
  const results = JSON.parse(stdout) as readonly { readonly sent: number; readonly lost: number }[];
  expect(results).toMatchObject([
    { transport: "udp", test: "asymmetric" },
    { transport: "tcp", test: "asymmetric" },
    { transport: "udp", test: "symmetric" },
    { transport: "tcp", test: "symmetric" },
  ]);
  for (const { sent, lost } of results) {
    expect(sent).toBeGreaterThan(50);
    expect(lost).toBe(0);
  }
  for (const step of [
    /: Initializing\.\.\. completed$/m,
    /: Checking installation\.\.\. completed$/m,
    /: Checking Gateway over udp\.\.\. completed$/m,
    /: Obtaining ICE server configuration\.\.\. completed$/m,
    /: Running asymmetric ICE test over tcp\.\.\. completed$/m,
    /: Running symmetric ICE test over tcp\.\.\. completed$/m,
    /^\tStatistics: rate=[\d.]+pps, loss=0\/\d+pkts=0\.00%, RTT:mean=[\d.]+ms\/median=[\d.]+ms\/P95=[\d.]+ms\/P99=[\d.]+ms$/m,
  ])
    expect(stderr).toMatch(step);
  await isGone();
});

it("says which step took too long and why, and leaves nothing", async () => {
  const { code, stdout, stderr } = await icetest("--timeout", "6s");
  expect(code).toBe(1);
  expect(stdout).toMatch(/: Checking Gateway over udp\.\.\. error$/m);
  // Whichever it came to: the far end is looked at first.
  expect(stderr).toMatch(
    /it took longer than 6 s \(--timeout\), waiting for (the far end|an address of Gateway icetest-udp-gateway): \S/,
  );
  await isGone();
});

it("does not touch a namespace that is there already", async () => {
  await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
  const { code, stderr } = await icetest();
  expect(code).toBe(1);
  expect(stderr).toContain("--force-cleanup");
  expect(
    await cluster.client.get({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } }),
  ).toBeDefined();
});
