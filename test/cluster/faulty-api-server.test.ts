/**
 * An API server that fails in every way that a client can meet, while a random history of changes goes on. When it has
 * come to its senses, all is as a fresh operator would have it, and nobody else's objects were touched.
 */
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { AnyObject, KindMap } from "../../src/resources/kinds.ts";
import { OWNED_BY_LABEL, OWNED_BY_VALUE } from "../../src/resources/names.ts";
import type { Operator } from "../../src/runtime/operator.ts";
import type { Client } from "./client.ts";
import type { Fault } from "./faulty/faults.ts";
import { createHistory } from "./faulty/history.ts";
import type { Rule } from "./faulty/proxy.ts";
import { useCluster } from "./fixture.ts";
import { isChange } from "./fresh.ts";
import { impatient } from "./operators.ts";
import { objectsIn, settled } from "./survey.ts";

const fixture = useCluster();

const STEPS = 20;
/** For a fault that cannot come about; any that can has, long before. */
const MOST_STEPS = 10_000;
/** Of each fault, before it ends. */
const TIMES = 3;

/** All that the operator may write: objects of Gateways that nobody else has the like of, and statuses. */
const OURS =
  /^\/(apis\/apps\/v1\/namespaces\/ns\/deployments\/[abc]|api\/v1\/namespaces\/ns\/services\/[ac]|apis\/[^/]+\/[^/]+\/(namespaces\/ns\/)?(gatewayclasses|gateways|udproutes)\/[^/]+\/status)$/;

/** Services and Deployments of others, with the version of each. */
const foreigners = async (client: Client): Promise<unknown> =>
  Promise.all(
    [
      { apiVersion: "v1", kind: "Service", metadata: { name: "b", namespace: "ns" } },
      { apiVersion: "v1", kind: "Service", metadata: { name: "d", namespace: "ns" } },
      { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d", namespace: "ns" } },
    ].map(async (reference) => (await client.get<AnyObject>(reference)).metadata),
  );

/** What is wanted throughout, by uid. */
const wanted = async (): Promise<readonly (string | undefined)[]> => {
  const objects = await objectsIn(fixture.cluster);
  return ["Deployment a", "Deployment b", "Service a"].map((name) => objects[name]?.uid);
};

/** Objects of ours that no Gateway of ours wants. */
const leftovers = async (): Promise<readonly string[]> => {
  const { client } = fixture.cluster;
  const gateways = await client.list<KindMap["Gateway"]>({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    namespace: "ns",
  });
  const names = gateways.filter(({ spec }) => spec.gatewayClassName === "media").map(({ metadata }) => metadata.name);
  const kinds = [
    { apiVersion: "v1", kind: "Service" },
    { apiVersion: "apps/v1", kind: "Deployment" },
  ];
  const lists = await Promise.all(
    kinds.map((kind) =>
      client.list<AnyObject>({ ...kind, namespace: "ns", labelSelector: `${OWNED_BY_LABEL}=${OWNED_BY_VALUE}` }),
    ),
  );
  return lists
    .flat()
    .map(({ metadata }) => metadata.name)
    .filter((name) => !names.includes(name));
};

/** Not faster than the operator notices, unless it is kept from noticing. */
const noticed = async (operator: Operator, seq: number): Promise<void> => {
  for (let tries = 0; tries < 15 && operator.journalSeq() <= seq; tries++) await pause(10);
};

const survives = async (rules: readonly Rule[]): Promise<Readonly<Record<Fault, number>>> => {
  const { cluster, proxy, random, start, stop, endsWell } = fixture;
  const history = createHistory(cluster.client, random.fork());
  await history.begin();
  await settled(cluster, await start(impatient));
  const before = { wanted: await wanted(), foreigners: await foreigners(cluster.client) };
  expect(before.wanted).not.toContain(undefined);
  await stop();

  proxy.suffer(rules);
  const operator = await start(impatient);
  const lacking = (): readonly Fault[] =>
    rules.map(({ fault }) => fault).filter((fault) => proxy.happened[fault] < TIMES);
  let steps = 0;
  for (; steps < STEPS || (lacking().length > 0 && steps < MOST_STEPS); steps += 1) {
    const seq = operator.journalSeq();
    await history.step();
    await noticed(operator, seq);
  }
  await proxy.heal();
  await settled(cluster, operator);

  expect(await leftovers()).toEqual([]);
  expect({ wanted: await wanted(), foreigners: await foreigners(cluster.client) }).toEqual(before);
  expect(proxy.asked.filter((asked) => isChange(asked) && !OURS.test(asked.path))).toEqual([]);
  const removed = proxy.asked.filter(({ method }) => method === "DELETE").map(({ path }) => path);
  expect(removed.filter((path) => /(deployments\/[ab]|services\/a)$/.test(path))).toEqual([]);
  const happened = Object.entries(proxy.happened).filter(([, times]) => times > 0);
  console.log(
    `${steps} changes, ${proxy.asked.length} requests; ${happened.map(([fault, times]) => `${times} ${fault}`).join(", ")}`,
  );
  await endsWell();
  return proxy.happened;
};

describe("the operator survives an API server", () => {
  it.each<readonly [what: string, fault: Fault, share: number]>([
    ["that asks it to wait (429)", "throttled", 0.3],
    ["that fails (500)", "internal", 0.4],
    ["that is not available (503)", "unavailable", 0.4],
    ["that tells of conflicts (409)", "conflict", 0.5],
    ["that forgets where watches were (410)", "expired", 0.5],
    ["that forgets where watches were, and says so in the stream", "expired-event", 0.5],
    ["that is slow", "slow", 0.5],
    ["that cuts watches", "cut", 0.7],
    ["that cuts answers and lines in their middle", "torn", 0.3],
    ["that loses its answers to writes", "answer-lost", 0.5],
    ["that does what it was asked when nobody waits for it", "late", 0.3],
    ["that takes connections and says nothing", "silent", 0.1],
    ["whose watches tell nothing", "mute", 0.3],
  ])("%s", async (_, fault, share) => {
    const happened = await survives([{ fault, share }]);
    expect(happened[fault]).toBeGreaterThanOrEqual(TIMES);
  });

  it("that answers the first removal with a conflict: the finalizer tries again", async () => {
    const { cluster, proxy, start, stop } = fixture;
    const operator = await start({ ...impatient, finalizer: true });
    await settled(cluster, operator);
    const finalized: unknown[] = [];
    operator.loop.onFact((fact) => {
      if (fact.type === "operator.finalized") finalized.push(fact.data);
    });
    const gateways = [...operator.loop.core.registry.entities("gateway").keys()];
    expect(await wanted()).not.toContain(undefined);
    const tried = new Set<string>();
    const isFirst = (path: string): boolean => !tried.has(path) && tried.add(path).has(path);
    proxy.suffer([{ fault: "conflict", share: 1, of: ({ method, path }) => method === "DELETE" && isFirst(path) }]);
    expect(await stop()).toEqual([]);
    expect(finalized).toEqual([{ removed: gateways, left: [] }]);
    expect(gateways.length).toBeGreaterThan(0);
    expect(proxy.happened.conflict).toBe(tried.size);
    expect(tried.size).toBeGreaterThanOrEqual(3);
    expect(await wanted()).toEqual([undefined, undefined, undefined]);
  });

  it("that forgets lists between their pages (410)", async () => {
    const happened = await survives([
      { fault: "expired-page", share: 0.5 },
      // To cause lists.
      { fault: "expired", share: 0.5 },
    ]);
    expect(happened["expired-page"]).toBeGreaterThanOrEqual(TIMES);
  });

  it("that does all of it", async () => {
    const some = ["conflict", "expired", "expired-event", "answer-lost", "late"] as const;
    const few = ["slow", "torn", "throttled", "internal", "unavailable", "silent"] as const;
    const happened = await survives([
      ...some.map((fault) => ({ fault, share: 0.1 })),
      // Few lists have a second page.
      { fault: "expired-page", share: 0.7 },
      { fault: "mute", share: 0.2 },
      { fault: "cut", share: 0.3 },
      ...few.map((fault) => ({ fault, share: 0.04 })),
    ]);
    expect(Math.min(...Object.values(happened))).toBeGreaterThanOrEqual(TIMES);
  });
});
