/** Two operators, each behind a proxy that lets it down: the Lease changes hands often, and two never write at once. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readJournal } from "../../src/journal/reader.ts";
import type { Operator } from "../../src/runtime/operator.ts";
import { gateway } from "../support/objects.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { Asked } from "./faulty/faults.ts";
import { startFaultyProxy, type FaultyProxy, type Rule } from "./faulty/proxy.ts";
import { randomOfTest } from "./faulty/random.ts";
import { isChange, isWhatAFreshOneComputes } from "./fresh.ts";
import { impatient, optionsOf, startQuietly } from "./operators.ts";
import { replays } from "./survey.ts";
import { applyAll, foreign, media, world } from "./world.ts";
import { eventually } from "../support/eventually.ts";

const HANDOVERS = 4;
/** Enough for any fault to come about. */
const MOST_HANDOVERS = 20;
/** Renewals before a leader is parted from its Lease. */
const RENEWALS = 8;
const LEASE = { namespace: "default", name: "turnpike", durationSeconds: 2, renewDeadlineMs: 1200, retryMs: 150 };

let cluster: Cluster;
let root: string;

beforeAll(async () => {
  cluster = await startCluster();
  root = mkdtempSync(join(tmpdir(), "turnpike-lease-"));
  await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "ns" } });
  await applyAll(cluster.client, foreign);
  await applyAll(cluster.client, ...world);
});
afterAll(async () => {
  await cluster?.stop();
  rmSync(root, { recursive: true, force: true });
});

interface Candidate {
  readonly name: string;
  readonly proxy: FaultyProxy;
  readonly operator: Operator;
}

const isOfLease = ({ path }: Asked): boolean => path.includes("/leases");

/** Renewals fail now and then, as anything may; what a leader writes is often still on its way when the lease is lost. */
const FAULTS_OF_LEASES = ["conflict", "internal", "slow", "answer-lost", "late", "throttled"] as const;
const USUAL: readonly Rule[] = [
  ...FAULTS_OF_LEASES.map((fault) => ({ fault, share: 0.1, of: isOfLease })),
  { fault: "slow", share: 0.6, of: (asked) => !isOfLease(asked) && asked.verb !== "watch" },
];
/** Cut off from the Lease, and from nothing else. */
const PARTED: readonly Rule[] = [
  { fault: "silent", share: 0.5, of: isOfLease },
  { fault: "internal", share: 1, of: isOfLease },
  ...USUAL,
];

interface Reign {
  readonly by: string;
  readonly from: number;
  readonly to: number;
}

/** As the journal has it. */
const reignsOf = (name: string): readonly Reign[] => {
  const reigns: Reign[] = [];
  let from: number | undefined;
  for (const { type, time } of readJournal(join(root, name))) {
    if (type === "lease.acquired") from = time;
    const ends = type === "lease.lost" || type === "operator.finalized";
    if (!ends || from === undefined) continue;
    reigns.push({ by: name, from, to: time });
    from = undefined;
  }
  return reigns;
};

it("two never write at once, however their renewals fail", async () => {
  const random = randomOfTest();
  const candidates: readonly Candidate[] = await Promise.all(
    ["first", "second"].map(async (name) => {
      const proxy = await startFaultyProxy(cluster, { file: join(root, `${name}.kubeconfig`), random: random.fork() });
      const overrides = { ...impatient, lease: { ...LEASE, holder: name } };
      return { name, proxy, operator: await startQuietly(optionsOf(root, name, proxy.kubeconfig, overrides)) };
    }),
  );
  const leader = (): Promise<Candidate> =>
    eventually(() => {
      const leading = candidates.filter(({ operator }) => operator.state === "leading");
      expect(leading).toHaveLength(1);
      return leading[0]!;
    });

  let changes = 0;
  const change = async (): Promise<void> => {
    changes += 1;
    await applyAll(
      cluster.client,
      ...["a", "b"].map((name) => gateway(name, [{ name: "udp", port: 3000 + changes, protocol: "TURN-UDP" }])),
      media("media-a", [`10.0.1.${changes}`]),
    );
  };
  const lacking = (): boolean =>
    FAULTS_OF_LEASES.some((fault) => candidates.every(({ proxy }) => proxy.happened[fault] === 0));
  for (let handover = 0; handover < HANDOVERS || (lacking() && handover < MOST_HANDOVERS); handover += 1) {
    for (const { proxy } of candidates) proxy.suffer(USUAL);
    const { proxy, operator } = await leader();
    const renewals = (): number => proxy.asked.filter((asked) => isOfLease(asked) && asked.verb === "write").length;
    const enough = renewals() + RENEWALS;
    await eventually(() => {
      if (operator.state === "leading") expect(renewals()).toBeGreaterThanOrEqual(enough);
    });
    proxy.suffer(PARTED);
    // There is always something to be written while it does not know yet that it leads no more.
    while (operator.state === "leading") {
      const written = proxy.asked.filter(isChange).length;
      await change();
      await eventually(() => {
        if (operator.state === "leading") expect(proxy.asked.filter(isChange).length).toBeGreaterThan(written);
      });
    }
    await eventually(async () => expect((await leader()).operator).not.toBe(operator));
  }
  expect(lacking()).toBe(false);
  await Promise.all(candidates.map(({ proxy }) => proxy.heal()));
  const last = await leader();
  const [other] = candidates.filter((one) => one !== last);

  await isWhatAFreshOneComputes({
    cluster,
    root,
    operator: last.operator,
    journal: last.name,
    stop: async () => {
      // The one that does not lead goes first, so that it does not begin to.
      await other!.operator.stop("test");
      await last.operator.stop("test");
      await Promise.all(candidates.map(({ proxy }) => proxy.stop()));
    },
  });
  replays(join(root, other!.name));

  const reigns = candidates.flatMap(({ name }) => reignsOf(name)).toSorted((a, b) => a.from - b.from);
  const overlaps = reigns.filter(({ from }, index) => index > 0 && from < reigns[index - 1]!.to);
  expect(overlaps).toEqual([]);
  const writes = candidates.flatMap(({ name, proxy }) =>
    proxy.asked
      .filter((asked) => isChange(asked) && asked.forwardedAt !== undefined)
      .map(({ path, forwardedAt }) => ({ by: name, at: forwardedAt!, path })),
  );
  // On its way when the lease was lost: the lease is nobody else's for as long as it lasts beyond the deadline.
  const graceMs = LEASE.durationSeconds * 1000 - LEASE.renewDeadlineMs;
  const unlawful = writes.filter(
    ({ by, at }) => !reigns.some((reign) => reign.by === by && at >= reign.from && at <= reign.to + graceMs),
  );
  expect(unlawful).toEqual([]);
  expect(
    writes.filter(({ by, at }) => reigns.some(({ by: other, from, to }) => other !== by && at >= from && at <= to)),
  ).toEqual([]);
  expect(reigns.length).toBeGreaterThan(HANDOVERS);

  const happened = candidates.flatMap(({ proxy }) => Object.entries(proxy.happened)).filter(([, times]) => times > 0);
  console.log(
    `${reigns.length} reigns, ${writes.length} writes, ${changes} changes; ${happened.map(([fault, times]) => `${times} ${fault}`).join(", ")}`,
  );
});
