/**
 * The deletion cost of dataplanes' pods, with the API server and the ReplicaSet controller of Kubernetes; the pods' `/status` is
 * served here.
 */
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readJournal } from "../../src/journal/reader.ts";
import { startOperator, type Operator } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { scenarios } from "../conformance/scenario.ts";
import { eventually } from "../support/eventually.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { addNode, reportPod, schedulePod } from "./node.ts";
import { perform } from "./recorded.ts";
import { resetCluster } from "./reset.ts";
import { replays } from "./survey.ts";

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly deletionTimestamp?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

const COST = "controller.kubernetes.io/pod-deletion-cost";
const addressOf = (index: number): string => `127.83.0.${index + 1}`;

let cluster: Cluster;
let root: string;
let operator: Operator | undefined;
let servers: readonly Server[] = [];
/** What each pod's `/status` says, in the order of their names; undefined: it is not found. */
let calls: (number | undefined)[];
let asked: number[];
let podPort: number;

const serveStatus = async (index: number, port: number): Promise<Server> => {
  const server = createServer((_, response) => {
    asked[index]! += 1;
    const allocationCount = calls[index];
    response.writeHead(allocationCount === undefined ? 404 : 200).end(JSON.stringify({ allocationCount }));
  }).listen(port, addressOf(index));
  await once(server, "listening");
  return server;
};

const start = (name = "journal"): Promise<Operator> =>
  startOperator({
    kubeconfig: cluster.kubeconfig,
    render: operatorOptions(),
    journal: join(root, name),
    discovery: { host: "127.0.0.1", port: 0 },
    deletionCosts: { everyMs: 20, podPort },
    finalizer: false,
    log: pino({ level: "silent" }),
  });
const dataplane = { apiVersion: "stunner.l7mp.io/v1", kind: "Dataplane", metadata: { name: "default" } };
const podsOf = async (): Promise<readonly Pod[]> =>
  (await cluster.client.list<Pod>({ apiVersion: "v1", kind: "Pod", namespace: "stunner" })).toSorted((a, b) =>
    a.metadata.name < b.metadata.name ? -1 : 1,
  );
const costs = async () => (await podsOf()).map(({ metadata }) => metadata.annotations?.[COST]);
const loads = (): number => facts("object.seen").filter(({ data }) => data.kind === "PodLoad").length;
const facts = (type: string, name = "journal") =>
  [...readJournal(join(root, name))].filter((line) => line.type === type) as unknown as readonly {
    readonly data: Readonly<Record<string, unknown>>;
  }[];
/** Each pod has been asked twice more: what it said before has been dealt with. */
const rounds = async (): Promise<void> => {
  const before = [...asked];
  await eventually(() => expect(asked.every((count, index) => count >= before[index]! + 2)).toBe(true));
};

beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(async () => {
  await cluster?.stop();
});
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "turnpike-deletion-cost-"));
  await resetCluster(cluster.client);
  asked = [0, 0, 0, 0];
  calls = [7, 0, 300, 2];
  const first = await serveStatus(0, 0);
  podPort = (first.address() as AddressInfo).port;
  servers = [first, ...(await Promise.all([1, 2, 3].map((index) => serveStatus(index, podPort))))];
  const basic = scenarios.find(({ name }) => name === "basic-udp");
  for (const operation of basic!.stages[0]!.do) await perform(cluster.client, operation);
  await cluster.client.patch(dataplane, { spec: { replicas: 4 } });
  operator = await start();
  const pods = await eventually(async () => {
    const all = await podsOf();
    expect(all).toHaveLength(4);
    return all;
  });
  await addNode(cluster.client, "node");
  for (const [index, { metadata }] of pods.entries()) {
    const pod = { name: metadata.name, namespace: "stunner" };
    await schedulePod(cluster.client, pod, "node");
    await reportPod(cluster.client, pod, [addressOf(index)]);
  }
});
afterEach(async () => {
  await operator?.stop("test");
  operator = undefined;
  for (const server of servers) server.close();
  rmSync(root, { recursive: true, force: true });
});

describe("the deletion cost of a dataplane's pod", () => {
  it("is its number of allocations, so that a scale-in ends the emptiest pods", async () => {
    await eventually(async () => expect(await costs()).toEqual(["7", undefined, "300", "2"]));
    await cluster.client.patch(dataplane, { spec: { replicas: 2 } });
    await eventually(async () =>
      expect((await podsOf()).map(({ metadata }) => metadata.deletionTimestamp !== undefined)).toEqual([
        false,
        true,
        false,
        true,
      ]),
    );
    // Pods that end are no longer asked, nor in the log.
    await eventually(() => expect(facts("object.gone")).toMatchObject([{ data: { kind: "PodLoad" } }]));
    await operator?.stop("test");
    replays(join(root, "journal"));
  });

  it("follows changes of a fifth or more, and what others remove; the log does not grow meanwhile", async () => {
    await eventually(async () => expect(await costs()).toEqual(["7", undefined, "300", "2"]));
    const written = loads();
    calls = [8, 0, 359, 3];
    await rounds();
    expect(await costs()).toEqual(["7", undefined, "300", "2"]);
    expect(loads()).toBe(written);
    calls = [0, 1, 360, 2];
    await eventually(async () => expect(await costs()).toEqual(["0", "1", "360", "2"]));
    expect(loads()).toBe(written + 3);
    const [, , busy] = await podsOf();
    const reference = { apiVersion: "v1", kind: "Pod", metadata: { name: busy!.metadata.name, namespace: "stunner" } };
    await cluster.client.patch(reference, { metadata: { annotations: { [COST]: null } } });
    await eventually(async () => expect((await costs())[2]).toBe("360"));
  });

  it("that somebody else has set is left alone", async () => {
    await eventually(async () => expect(await costs()).toEqual(["7", undefined, "300", "2"]));
    const [first] = await podsOf();
    const reference = { apiVersion: "v1", kind: "Pod", metadata: { name: first!.metadata.name, namespace: "stunner" } };
    await cluster.client.patch(reference, { metadata: { annotations: { [COST]: "-5" } } });
    await eventually(() => expect(facts("object.gone")).toMatchObject([{ data: { kind: "PodLoad" } }]));
    calls = [50, 0, 400, 2];
    await eventually(async () => expect(await costs()).toEqual(["-5", undefined, "400", "2"]));
  });

  it("stays when an operator starts again, without a line in its log", async () => {
    await eventually(async () => expect(await costs()).toEqual(["7", undefined, "300", "2"]));
    await operator?.stop("test");
    operator = await start("again");
    await rounds();
    expect(await costs()).toEqual(["7", undefined, "300", "2"]);
    expect(facts("object.seen", "again").filter(({ data }) => data["kind"] === "PodLoad")).toEqual([]);
    calls = [7, 0, 10, 2];
    await eventually(async () => expect(await costs()).toEqual(["7", undefined, "10", "2"]));
  });

  it("stays if the pod does not report it, which is said once", async () => {
    await eventually(async () => expect(await costs()).toEqual(["7", undefined, "300", "2"]));
    calls = [undefined, 3, 300, 2];
    await eventually(async () => expect(await costs()).toEqual(["7", "3", "300", "2"]));
    await rounds();
    const said = facts("effect.failed");
    expect(said).toHaveLength(1);
    expect(said[0]).toMatchObject({
      data: { effect: "measure", reason: expect.stringMatching(/^pod-status: .*127\.83\.0\.1.* it answered 404$/) },
    });
  });

  it("stays while the pod is not ready", async () => {
    await eventually(async () => expect(await costs()).toEqual(["7", undefined, "300", "2"]));
    const [first] = await podsOf();
    const pod = { name: first!.metadata.name, namespace: "stunner" };
    await reportPod(cluster.client, pod, [addressOf(0)], false);
    calls = [70, 1, 300, 2];
    await eventually(async () => expect(await costs()).toEqual(["7", "1", "300", "2"]));
    await reportPod(cluster.client, pod, [addressOf(0)]);
    await eventually(async () => expect((await costs())[0]).toBe("70"));
  });
});
