/** What the operator does when the cluster, or it itself, fails in the middle of things. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as after } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { readJournal } from "../../src/journal/reader.ts";
import type { DataplaneConfig } from "../../src/resources/dataplane-config.ts";
import type { AnyObject } from "../../src/resources/kinds.ts";
import { startOperator, type Operator, type OperatorOptions } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { keepLog } from "../support/logs.ts";
import { dataplane, gatewayClass, gatewayConfig, gateway, route, service, slice } from "../support/objects.ts";
import type { Literal } from "./client.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { installGatewayApi } from "./crds.ts";
import { observeCluster } from "./recorded.ts";
import { resetCluster } from "./reset.ts";

const soon = { timeout: 15_000, interval: 50 };

let cluster: Cluster;
let root: string;
let running: Operator | undefined;
let child: ChildProcess | undefined;

beforeAll(async () => {
  cluster = await startCluster();
}, 120_000);
afterAll(async () => {
  await cluster?.stop();
}, 60_000);

/** What the API server must be given; it counts generations itself. */
const literal = (object: unknown): Literal => {
  const { metadata, ...rest } = object as Literal;
  const { generation: _, ...kept } = metadata as Literal["metadata"] & { readonly generation?: number };
  return { ...rest, metadata: kept };
};
const apply = (...objects: readonly unknown[]) =>
  Promise.all(objects.map((object) => cluster.client.apply<AnyObject>(literal(object))));
const remove = (...objects: readonly unknown[]) =>
  Promise.all(objects.map((object) => cluster.client.delete(literal(object))));

const media = (name: string, addresses: readonly string[]) => slice(`${name}-1`, name, addresses);

/** Gateways `a` and `b` with a route each to a Service of their own. */
const world = [
  gatewayClass,
  gatewayConfig({ password: "pass" }),
  dataplane,
  ...["a", "b"].flatMap((name) => [
    gateway(name),
    route(`to-${name}`, [name], [`media-${name}`]),
    service(`media-${name}`),
    media(`media-${name}`, [`10.0.0.${name === "a" ? 1 : 2}`]),
  ]),
];
/** Somebody else's, of the same name as a Gateway. */
const foreign = { ...service("b"), spec: { ports: [{ name: "theirs", port: 80 }] } };

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "turnpike-faults-"));
  await resetCluster(cluster.client);
  await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "ns" } });
  await apply(foreign);
  await apply(...world);
}, 60_000);
afterEach(async () => {
  await running?.stop("test", 1000);
  running = undefined;
  child?.kill("SIGKILL");
  child = undefined;
  rmSync(root, { recursive: true, force: true });
}, 60_000);

const optionsOf = (journal: string): Omit<OperatorOptions, "log"> => ({
  kubeconfig: cluster.kubeconfig,
  render: operatorOptions({ discoveryAddress: "127.0.0.1:13478" }),
  journal: join(root, journal),
  discovery: { host: "127.0.0.1", port: 0 },
  finalizer: false,
  listWatch: { firstPauseMs: 50, longestPauseMs: 500, absentPauseMs: 100 },
});

const start = async (journal = "journal"): Promise<Operator> => {
  running = await startOperator({ ...optionsOf(journal), log: pino({ level: "silent" }) });
  return running;
};

const stop = async (): Promise<void> => {
  await running?.stop("test");
  running = undefined;
};

const configsAt = async (port: number): Promise<readonly DataplaneConfig[]> => {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/configs`);
  expect(response.ok).toBe(true);
  return ((await response.json()) as { readonly items: readonly DataplaneConfig[] }).items;
};

/** Pod addresses that clients may reach, by gateway. */
const reachable = (configs: readonly DataplaneConfig[]): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    configs.map(({ admin, clusters = [] }) => [
      admin.name.replace("ns/", ""),
      clusters.flatMap(({ endpoints = [] }) => endpoints.map((one) => one.replace(/:.*|\/32/, ""))).toSorted(),
    ]),
  );

const reaches = (operator: Operator, expected: Readonly<Record<string, readonly string[]>>) =>
  vi.waitFor(async () => {
    const found = reachable(await configsAt(operator.discovery.port));
    expect(Object.keys(found).toSorted()).toEqual(Object.keys(expected).toSorted());
    for (const [name, addresses] of Object.entries(expected))
      expect(found[name]?.filter((one) => one.startsWith("10.0."))).toEqual(addresses);
  }, soon);

/** Configs, objects and statuses, once they no longer change. */
const settled = async (operator: Operator) => {
  let last: string | undefined;
  return vi.waitFor(async () => {
    await operator.idle();
    const observed = await observeCluster(cluster, await configsAt(operator.discovery.port));
    const text = JSON.stringify(observed);
    const before = last;
    last = text;
    expect(text).toBe(before);
    return observed;
  }, soon);
};

/** Services and Deployments: which they are, and which version; what controllers tell of a Deployment does not count. */
const objects = async (): Promise<Readonly<Record<string, { readonly uid: string; readonly version: string }>>> => {
  const lists = await Promise.all([
    cluster.client.list<AnyObject>({ apiVersion: "v1", kind: "Service", namespace: "ns" }),
    cluster.client.list<AnyObject>({ apiVersion: "apps/v1", kind: "Deployment", namespace: "ns" }),
  ]);
  return Object.fromEntries(
    lists.flatMap((list, index) =>
      list.map(({ metadata }) => [
        `${index === 0 ? "Service" : "Deployment"} ${metadata.name}`,
        { uid: metadata.uid ?? "", version: String(metadata.generation ?? metadata.resourceVersion) },
      ]),
    ),
  );
};

const replays = (journal = "journal"): void => {
  const path = join(root, journal);
  const { divergence, runs } = replay(readJournal(path), digest);
  expect(divergence).toBeUndefined();
  expect(runs).toBeGreaterThan(0);
  keepLog(path);
};

/** A new operator, which knows nothing, finds that all is as it should be, and writes nothing. */
const isWhatAFreshOneComputes = async (): Promise<void> => {
  const before = await settled(running!);
  const versions = await objects();
  await stop();
  replays();
  const fresh = await start("fresh");
  await vi.waitFor(() => expect(fresh.state).toBe("leading"), soon);
  expect(await settled(fresh)).toEqual(before);
  const { GET: _, ...writes } = fresh.requests;
  expect(writes).toEqual({});
  expect(await objects()).toEqual(versions);
  await stop();
  replays("fresh");
};

describe("the operator survives", { timeout: 60_000 }, () => {
  it("an API server that is killed while objects change", async () => {
    const operator = await start();
    await reaches(operator, { a: ["10.0.0.1"], b: ["10.0.0.2"] });
    await settled(operator);
    const before = await objects();
    for (const round of [1, 2]) {
      // Some of them arrive, some do not.
      const changes = Promise.allSettled([
        apply(gateway("c")),
        apply(route("to-c", ["c"], ["media-a"])),
        apply(media("media-a", [`10.0.1.${round}`])),
      ]);
      await cluster.apiServer.kill();
      await changes;
      await vi.waitFor(() => expect(operator.loop.core.registry.state("operator", "operator")).toBe("leading"), soon);
      await cluster.apiServer.restart();
      // Before its watches are back, some of them.
      await remove(route("to-b", [], []), media("media-b", []));
      await apply(gateway("c"), route("to-c", ["c"], ["media-a"]), media("media-a", [`10.0.1.${round}`]));
      await reaches(operator, { a: [`10.0.1.${round}`], b: [], c: [`10.0.1.${round}`] });
      await remove(gateway("c"), route("to-c", [], []));
      await reaches(operator, { a: [`10.0.1.${round}`], b: [] });
    }
    await apply(route("to-b", ["b"], ["media-b"]), media("media-b", ["10.0.0.9"]));
    await reaches(operator, { a: ["10.0.1.2"], b: ["10.0.0.9"] });
    await vi.waitFor(async () => expect(Object.keys(await objects())).toEqual(Object.keys(before)), soon);
    const now = await objects();
    expect(Object.values(now).map(({ uid }) => uid)).toEqual(Object.values(before).map(({ uid }) => uid));
    expect(now["Service b"]).toEqual(before["Service b"]);
    await isWhatAFreshOneComputes();
  });

  it("an etcd that stands still", async () => {
    const operator = await start();
    await reaches(operator, { a: ["10.0.0.1"], b: ["10.0.0.2"] });
    await settled(operator);
    const before = await objects();
    cluster.etcd.pause();
    const change = apply(media("media-a", ["10.0.1.1"]), gateway("c"), route("to-c", ["c"], ["media-b"]));
    try {
      await after(3000);
      // Served as before.
      expect(reachable(await configsAt(operator.discovery.port))).toHaveProperty("a");
    } finally {
      cluster.etcd.resume();
    }
    await change.catch(() => undefined);
    await vi.waitFor(
      () => apply(media("media-a", ["10.0.1.1"]), gateway("c"), route("to-c", ["c"], ["media-b"])),
      soon,
    );
    await reaches(operator, { a: ["10.0.1.1"], b: ["10.0.0.2"], c: ["10.0.0.2"] });
    await settled(operator);
    expect(await objects()).toMatchObject(
      Object.fromEntries(Object.entries(before).map(([name, { uid }]) => [name, { uid }])),
    );
    await isWhatAFreshOneComputes();
  });

  it("a kind that is removed and comes back", async () => {
    const other = {
      ...route("other", ["a"], ["media-b"]),
      apiVersion: "gateway.networking.k8s.io/v1alpha2",
      spec: { parentRefs: [{ name: "a" }], rules: [{ backendRefs: [{ name: "media-b", port: 9000 }] }] },
    };
    await apply(other);
    const operator = await start();
    await reaches(operator, { a: ["10.0.0.1", "10.0.0.2"], b: ["10.0.0.2"] });
    await settled(operator);
    const before = await objects();
    const definition = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "udproutes.gateway.networking.k8s.io" },
    };
    await cluster.client.delete(definition);
    try {
      await reaches(operator, { a: ["10.0.0.1"], b: ["10.0.0.2"] });
      await vi.waitFor(() => expect(cluster.client.get(definition)).rejects.toThrow("not found"), soon);
    } finally {
      await installGatewayApi(cluster.client, "both");
    }
    await apply(other);
    await reaches(operator, { a: ["10.0.0.1", "10.0.0.2"], b: ["10.0.0.2"] });
    await settled(operator);
    const uids = (all: Awaited<ReturnType<typeof objects>>) => Object.values(all).map(({ uid }) => uid);
    expect(uids(await objects())).toEqual(uids(before));
    await isWhatAFreshOneComputes();
  });
});

/** An operator in a process of its own, to be killed. Resolves once it runs. */
const spawnOperator = async (journal = "journal"): Promise<ChildProcess> => {
  const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const script = `
    import { pino } from "pino";
    import { startOperator } from ${at("../../src/runtime/operator.ts")};
    await startOperator({ ...${JSON.stringify(optionsOf(journal))}, log: pino({ level: "silent" }) });
    console.log("started");`;
  const spawned = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: new URL("../..", import.meta.url),
    stdio: ["ignore", "pipe", "inherit"],
  });
  child = spawned;
  const lines = createInterface({ input: spawned.stdout });
  await Promise.race([
    once(lines, "line"),
    once(spawned, "exit").then(([code, signal]) => {
      throw new Error(`the operator's process ended with ${String(code ?? signal)}`);
    }),
  ]);
  return spawned;
};

it(
  "an operator that is killed at any point leaves nothing that the next one does not put right",
  { timeout: 90_000 },
  async () => {
    const first = await start();
    await reaches(first, { a: ["10.0.0.1"], b: ["10.0.0.2"] });
    await settled(first);
    await stop();
    const before = await objects();
    expect(Object.keys(before)).toEqual(expect.arrayContaining(["Service a", "Deployment a", "Deployment b"]));

    let kills = 0;
    for (let round = 1; round <= 10; round += 1) {
      const spawned = await spawnOperator();
      const changes = [
        apply(media("media-a", [`10.0.2.${round}`])),
        round % 2 === 1
          ? apply(gateway("c"), route("to-c", ["c"], ["media-a"]))
          : remove(gateway("c"), route("to-c", [], [])),
        apply(gateway("a", [{ name: "udp", port: 3478 + round, protocol: "TURN-UDP" }])),
      ];
      // At any point: of the first list, of the first writes, or after all is done.
      await after(Math.random() * 400);
      const ended = once(spawned, "exit");
      kills += spawned.kill("SIGKILL") ? 1 : 0;
      await Promise.all([ended, ...changes]);
    }
    expect(kills).toBe(10);
    replays();

    const last = await start();
    await reaches(last, { a: ["10.0.2.10"], b: ["10.0.0.2"] });
    // The garbage collector takes what belonged to `c`.
    await vi.waitFor(async () => expect(Object.keys(await objects())).toEqual(Object.keys(before)), soon);
    await settled(last);
    const now = await objects();
    expect(Object.values(now).map(({ uid }) => uid)).toEqual(Object.values(before).map(({ uid }) => uid));
    for (const theirs of ["Service b", "Service media-a", "Service media-b"])
      expect(now[theirs]).toEqual(before[theirs]);
    await isWhatAFreshOneComputes();
  },
);
