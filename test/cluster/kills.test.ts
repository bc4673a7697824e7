/**
 * The operator is killed a hundred times, at moments of every kind, and starts again each time. Several of them do so at
 * once, each with a class and a namespace of its own.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { AnyObject } from "../../src/resources/kinds.ts";
import type { OperatorOptions } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { gateway, route } from "../support/objects.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { Asked } from "./faulty/faults.ts";
import { startFaultyProxy, type FaultyProxy, type Rule } from "./faulty/proxy.ts";
import { randomOfTest, type Random } from "./faulty/random.ts";
import { isChange, isWhatAFreshOneComputes } from "./fresh.ts";
import { startKillable, type KillableOperator } from "./killable.ts";
import { optionsOf, startQuietly } from "./operators.ts";
import { objectsIn, replays, settled } from "./survey.ts";
import { applyAll, controllerOf, foreign, inNamespace, media, removeAll, world } from "./world.ts";

const LANES = ["lane-1", "lane-2", "faulty", "finalizing"] as const;
const ROUNDS = 25;

/** Moments to be killed at, in turn; of each the exact point is left to chance. */
const MOMENTS = ["connecting", "list", "line", "write", "line", "change", "write"] as const;
const MOMENTS_OF_FINALIZING = [...MOMENTS.slice(0, 4), "finalizing", "finalizing", "finalizing"] as const;
type Moment = (typeof MOMENTS_OF_FINALIZING)[number];

/** Of the lane with an API server that fails meanwhile. */
const FAULTS: readonly Rule[] = (["internal", "torn", "answer-lost", "late", "cut", "expired"] as const).map(
  (fault) => ({
    fault,
    share: 0.08,
  }),
);

let cluster: Cluster;
let root: string;

beforeAll(async () => {
  cluster = await startCluster();
  root = mkdtempSync(join(tmpdir(), "turnpike-kills-"));
});
afterAll(async () => {
  await cluster?.stop();
  rmSync(root, { recursive: true, force: true });
});

interface Lane {
  readonly name: string;
  readonly random: Random;
  readonly proxy: FaultyProxy;
  readonly overrides: Partial<OperatorOptions>;
  /** Changes what the operator must write. */
  change(): Promise<void>;
  readonly kills: Moment[];
}

const createLane = async (name: string, random: Random): Promise<Lane> => {
  const own = (object: unknown): unknown => inNamespace(object, name);
  await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  await applyAll(cluster.client, own(foreign));
  await applyAll(cluster.client, ...world.map(own));
  let changes = 0;
  return {
    name,
    random,
    proxy: await startFaultyProxy(cluster, { file: join(root, `${name}.kubeconfig`), random: random.fork() }),
    overrides: {
      render: operatorOptions({ discoveryAddress: "127.0.0.1:13478", controllerName: controllerOf(name) }),
      finalizer: name === "finalizing",
      // So that it is killed while it begins a segment, too.
      journalOptions: { segmentBytes: 128 * 1024, keepSegments: 1000 },
    },
    async change() {
      changes += 1;
      const port = 3000 + changes;
      await applyAll(
        cluster.client,
        own(gateway("a", [{ name: "udp", port, protocol: "TURN-UDP" }])),
        own(media("media-a", [`10.0.2.${changes % 250}`])),
      );
      const others = [gateway("c"), route("to-c", ["c"], ["media-a"])].map(own);
      if (changes % 4 === 0) await applyAll(cluster.client, ...others);
      else if (changes % 4 === 2) await removeAll(cluster.client, ...others);
    },
    kills: [],
  };
};

/** Starts the operator, changes objects as long as it lives, and sees to it that it is killed at the moment. */
const round = async (lane: Lane, moment: Moment): Promise<void> => {
  const { proxy, random, overrides } = lane;
  await lane.change();
  const line =
    moment === "line" ? { line: { number: random.between(1, 140), share: random.pick([0, random.next(), 1]) } } : {};
  const options = optionsOf(root, lane.name, proxy.kubeconfig, overrides);
  const operator: KillableOperator = startKillable({ options, ...line }, join(root, "compiled"));

  // Of what the moment is about: asked for, or answered already.
  const when = random.pick(["asked", "answered"] as const);
  let due = moment === "list" ? random.between(1, 14) : random.between(1, 5);
  let isStopping = false;
  let wrote = Promise.withResolvers<void>();
  const strike = async (): Promise<void> => {
    due -= 1;
    if (due !== 0) return;
    await operator.kill();
    // What was asked may get there, or not.
    if (when === "asked" && random.chance(0.5)) throw new Error("the connection broke");
  };
  const startedAt = Date.now();
  // What the last one asked for may be answered only now.
  const isOfNow = ({ at }: Asked): boolean => at >= startedAt;
  proxy.listen({
    asked: async (asked) => {
      if (!isOfNow(asked)) return;
      if (moment === "connecting") await operator.kill();
      if (when === "asked" && moment === asked.verb) await strike();
      if (when === "asked" && isStopping && isChange(asked)) await strike();
    },
    answered: async (asked) => {
      if (!isOfNow(asked)) return;
      if (isChange(asked)) wrote.resolve();
      if (when === "answered" && moment === asked.verb) await strike();
      if (when === "answered" && isStopping && isChange(asked)) await strike();
    },
  });

  const dead = operator.ended.then(() => undefined);
  while (operator.isAlive) {
    await Promise.race([wrote.promise, dead]);
    wrote = Promise.withResolvers();
    if (!operator.isAlive) break;
    if (moment === "finalizing") {
      isStopping = true;
      operator.stop();
      await dead;
    } else {
      await lane.change();
      if (moment === "change") await strike().catch(() => undefined);
    }
  }
  expect(await operator.ended, `${lane.name}, ${moment}`).toBe("SIGKILL");
  lane.kills.push(moment);
};

const metadataOf = async (lane: Lane): Promise<unknown> =>
  Promise.all(
    ["b", "media-a", "media-b"].map(
      async (name) =>
        (
          await cluster.client.get<AnyObject>({
            apiVersion: "v1",
            kind: "Service",
            metadata: { name, namespace: lane.name },
          })
        ).metadata,
    ),
  );

const WANTED = ["Deployment a", "Deployment b", "Service a"];

it("an operator that is killed a hundred times leaves nothing that the next one does not correct", async () => {
  const random = randomOfTest();
  const lanes = await Promise.all(LANES.map((name) => createLane(name, random.fork())));
  const start = (lane: Lane) => startQuietly(optionsOf(root, lane.name, lane.proxy.kubeconfig, lane.overrides));
  const uidsOf = async (lane: Lane) => {
    const objects = await objectsIn(cluster, lane.name);
    return WANTED.map((name) => objects[name]?.uid);
  };

  const before = new Map<Lane, unknown>();
  for (const lane of lanes) {
    const operator = await start({ ...lane, overrides: { ...lane.overrides, finalizer: false } });
    await settled(cluster, operator);
    await operator.stop("test");
    before.set(lane, { uids: await uidsOf(lane), theirs: await metadataOf(lane) });
  }

  const startedAt = performance.now();
  await Promise.all(
    lanes.map(async (lane) => {
      const moments = lane.name === "finalizing" ? MOMENTS_OF_FINALIZING : MOMENTS;
      if (lane.name === "faulty") lane.proxy.suffer(FAULTS);
      for (let n = 0; n < ROUNDS; n += 1) await round(lane, moments[n % moments.length]!);
      lane.proxy.listen({});
      await lane.proxy.heal();
    }),
  );
  const kills = lanes.flatMap((lane) => lane.kills);
  const counts = Object.entries(Object.groupBy(kills, (moment) => moment)).map(
    ([moment, all]) => `${all.length} ${moment}`,
  );
  const faults = lanes.flatMap(({ proxy }) => Object.values(proxy.happened)).reduce((sum, times) => sum + times, 0);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${kills.length} kills in ${seconds} s: ${counts.join(", ")}; ${faults} faults meanwhile`);
  expect(faults).toBeGreaterThan(ROUNDS);
  expect(kills).toHaveLength(LANES.length * ROUNDS);

  for (const lane of lanes) {
    replays(join(root, lane.name));
    const operator = await start({ ...lane, overrides: { ...lane.overrides, finalizer: false } });
    await settled(cluster, operator);
    const now = { uids: await uidsOf(lane), theirs: await metadataOf(lane) };
    if (lane.name === "finalizing") expect(now.theirs).toEqual((before.get(lane) as typeof now).theirs);
    else {
      expect(now).toEqual(before.get(lane));
      const removed = lane.proxy.asked.filter(({ method }) => method === "DELETE").map(({ path }) => path);
      expect(removed.filter((path) => /(deployments\/[ab]|services\/a)$/.test(path))).toEqual([]);
    }
    // Nothing outside its own namespace, nor what others have there.
    const writes = lane.proxy.asked.filter(isChange).map(({ path }) => path);
    expect(writes.filter((path) => !path.includes(`/${lane.name}/`))).toEqual([]);
    expect(writes.filter((path) => /services\/(b|media-[ab])$/.test(path))).toEqual([]);
    await isWhatAFreshOneComputes({
      cluster,
      root,
      operator,
      journal: lane.name,
      namespace: lane.name,
      overrides: { ...lane.overrides, finalizer: false },
      stop: async () => void (await operator.stop("test")),
    });
    await lane.proxy.stop();
  }
});
