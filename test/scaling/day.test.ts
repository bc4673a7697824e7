/** `npm run bench:day` prints the figures of ten days. */
import { describe, expect, it } from "vitest";
import { createAutoscaler, desiredReplicas } from "./autoscaler.ts";
import { compare, tableOf, type Row } from "./comparison.ts";
import { byDeletion, type Candidate } from "./replica-set.ts";

const LONGEST_MINUTES = 180;

describe("the autoscaler of the simulation", () => {
  it.each([
    ["twice the target: twice the pods", [20, 20], 0, 4],
    ["half the target: half the pods", [5, 5, 5, 5], 0, 2],
    ["within the tolerance: as many", [10, 11], 0, 2],
    ["pods that start count as empty", [20, 20], 2, 4],
    ["and do not stop a scale-out", [30, 30], 2, 6],
  ])("%s", (_, ready, pending, expected) => {
    expect(desiredReplicas({ replicas: ready.length + pending, ready, pending }, 10)).toBe(expected);
  });

  it("scales out at once, and in by one pod a period after the window", () => {
    const scaleIn = { stabilizationWindowSeconds: 60, pods: 1, periodSeconds: 30 };
    const { sync } = createAutoscaler({ minReplicas: 1, maxReplicas: 8, target: 10, scaleIn });
    const seen = (replicas: number, calls: number) => ({
      replicas,
      ready: Array<number>(replicas).fill(calls),
      pending: 0,
    });
    expect(sync(0, seen(1, 60))).toBe(5);
    expect(sync(15, seen(5, 20))).toBe(8);
    const after = [30, 45, 60].map((now) => sync(now, seen(8, 1)));
    expect(after).toEqual([8, 8, 8]);
    expect(sync(75, seen(8, 1))).toBe(7);
    expect(sync(90, seen(7, 1))).toBe(7);
    expect(sync(105, seen(7, 1))).toBe(6);
  });
});

describe("the ReplicaSet of the simulation", () => {
  it("removes pods that are not ready, then the cheapest, then the youngest, then any", () => {
    const pod = (uid: number, more: Partial<Candidate>): Candidate => ({
      isReady: true,
      deletionCost: 5,
      readySince: 0,
      uid,
      ...more,
    });
    const pods = [
      pod(1, { readySince: 10 }),
      pod(2, { readySince: 900 }),
      pod(3, { readySince: 12 }),
      pod(4, { deletionCost: 3 }),
      pod(5, { isReady: false, deletionCost: 9 }),
    ];
    expect(pods.toSorted(byDeletion(1000)).map(({ uid }) => uid)).toEqual([5, 4, 2, 1, 3]);
  });
});

describe("five days of 10,000 calls", () => {
  const rows = compare(10, [1, 2, 3, 4, 5]);
  console.table(tableOf(rows));
  const find = (pods: Row["pods"], graceMinutes: number): Row =>
    rows.find((row) => row.pods === pods && row.graceSeconds === graceMinutes * 60)!;
  const withCosts = (minutes: number): Row => find("autoscaled, deletion costs", minutes);
  const without = (minutes: number): Row => find("autoscaled", minutes);

  it("lose no call if the grace period is as long as the longest call", () => {
    expect(withCosts(LONGEST_MINUTES).lost).toBe(0);
    expect(withCosts(LONGEST_MINUTES).scaleIns).toBeGreaterThan(20);
  });

  it("need half of the pods of a fixed number", () => {
    const { podHours } = find("fixed", LONGEST_MINUTES);
    expect(withCosts(LONGEST_MINUTES).podHours).toBeLessThan(podHours * 0.55);
  });

  it("have fewer calls in pods that end, and shorter waits for them, with deletion costs", () => {
    expect(withCosts(60).outlived).toBeLessThan(without(60).outlived * 0.6);
    expect(withCosts(LONGEST_MINUTES).drainingHours).toBeLessThan(without(LONGEST_MINUTES).drainingHours * 0.8);
  });

  it.each([60, 30])("lose fewer calls with deletion costs if the grace period is %i minutes", (minutes) => {
    expect(without(minutes).lost).toBeGreaterThan(0);
    expect(withCosts(minutes).lost).toBeLessThan(without(minutes).lost * 0.7);
  });

  it("do not fill the log: a line a minute for 26 pods, at most three", () => {
    expect(withCosts(60).facts).toBeLessThan(3 * 24 * 60);
  });
});
