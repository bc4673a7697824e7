/** Where draining dataplanes of a public Gateway send new clients, with the API server and the controllers of Kubernetes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fetchConfig } from "../../src/discovery/fetch.ts";
import { readConfig } from "../../src/discovery/document.ts";
import { readJournal } from "../../src/journal/reader.ts";
import type { Operator } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { scenarios } from "../conformance/scenario.ts";
import { eventually } from "../support/eventually.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { addNode, endPod, reportPod, schedulePod } from "./node.ts";
import { optionsOf, startQuietly } from "./operators.ts";
import { perform } from "./recorded.ts";
import { replays } from "./survey.ts";

interface Pod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
}

const GATEWAY = "stunner/gw";
const NODES = ["n1", "n2", "n3"] as const;
const internal = (node: string): string => `10.9.0.${node.slice(1)}`;
const external = (node: string): string => `203.0.113.${node.slice(1)}`;

let cluster: Cluster;
let root: string;
let operator: Operator;

const podsOf = (): Promise<readonly Pod[]> =>
  cluster.client.list<Pod>({ apiVersion: "v1", kind: "Pod", namespace: "stunner" });
/** The pod that was bound to `node` first. */
const podOn = async (node: string): Promise<{ readonly name: string; readonly namespace: string }> => {
  const pod = (await podsOf()).find(({ spec }) => spec.nodeName === node);
  return { name: pod!.metadata.name, namespace: "stunner" };
};
/** The nodes that the dataplane on `node` may send its clients to, with their addresses. */
const alternatesFor = async (node: string): Promise<readonly string[]> => {
  const origin = `http://127.0.0.1:${operator.discovery.port}`;
  const { alternates = [] } = readConfig(await fetchConfig({ origin, id: GATEWAY, node }));
  return alternates.map(({ node: name, addresses }) => `${name} ${addresses.join()}`);
};
const are = (node: string, ...others: readonly string[]): Promise<void> =>
  eventually(async () =>
    expect(await alternatesFor(node)).toEqual(others.map((other) => `${other} ${external(other)}`)),
  );
const rendered = (): number => [...readJournal(join(root, "journal"))].filter(({ type }) => type === "rendered").length;

interface Manifest {
  readonly kind: string;
  readonly metadata: { annotations?: unknown };
  spec?: Readonly<Record<string, unknown>>;
}

const makePublic = (object: Manifest): void => {
  if (object.kind === "Dataplane") object.spec = { ...object.spec, replicas: NODES.length, hostNetwork: true };
  if (object.kind === "Gateway")
    object.metadata.annotations = { "stunner.l7mp.io/enable-relay-address-discovery": "true" };
};

beforeAll(async () => {
  cluster = await startCluster();
  root = mkdtempSync(join(tmpdir(), "turnpike-alternates-"));
  operator = await startQuietly(optionsOf(root, "journal", cluster.kubeconfig, { render: operatorOptions() }));
  const basic = scenarios.find(({ name }) => name === "basic-udp");
  for (const operation of structuredClone(basic!.stages[0]!.do)) {
    if ("apply" in operation) makePublic(operation.apply as unknown as Manifest);
    await perform(cluster.client, operation);
  }
  for (const node of NODES) {
    await addNode(cluster.client, node);
    await cluster.client.patchStatus(
      { apiVersion: "v1", kind: "Node", metadata: { name: node } },
      {
        addresses: [
          { type: "InternalIP", address: internal(node) },
          { type: "ExternalIP", address: external(node) },
        ],
      },
    );
  }
});
afterAll(async () => {
  await operator?.stop("test");
  await cluster?.stop();
  rmSync(root, { recursive: true, force: true });
});

it("are the nodes whose pod is ready and does not end, without the dataplane's own", async () => {
  const pods = await eventually(async () => {
    const all = (await podsOf()).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    expect(all).toHaveLength(NODES.length);
    return all;
  });
  for (const [index, node] of NODES.entries()) {
    const pod = { name: pods[index]!.metadata.name, namespace: "stunner" };
    await schedulePod(cluster.client, pod, node);
    await reportPod(cluster.client, pod, [internal(node)]);
  }
  await are("n1", "n2", "n3");
  await are("n2", "n1", "n3");

  // A pod that drains; Kubernetes keeps it until its process has ended.
  const ending = await podOn("n2");
  await cluster.client.delete({ apiVersion: "v1", kind: "Pod", metadata: ending });
  await are("n1", "n3");
  await are("n2", "n1", "n3");

  await reportPod(cluster.client, await podOn("n3"), [internal("n3")], false);
  await are("n1");
  await are("n2", "n1");

  // Objects that change, and nothing that matters here.
  const before = rendered();
  await reportPod(cluster.client, await podOn("n3"), [internal("n3")], false);
  await cluster.client.patch(
    { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } },
    { metadata: { labels: { zone: "a" } } },
  );
  await reportPod(cluster.client, await podOn("n3"), [internal("n3")]);
  await are("n1", "n3");
  expect(rendered()).toBe(before + 1);

  await endPod(cluster.client, ending);
  await operator.stop("test");
  replays(join(root, "journal"));
});
