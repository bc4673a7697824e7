/**
 * A day of a Gateway's dataplane pods, second by second: calls come and go, an autoscaler decides how many pods there are, a
 * ReplicaSet which of them end, and the operator what they cost.
 */
import { changesDeletionCost, deletionCost } from "../../src/render/deletion-cost.ts";
import { createAutoscaler, SYNC_SECONDS, type AutoscalerOptions } from "./autoscaler.ts";
import { DAY_SECONDS, type Call } from "./calls.ts";
import { randomOf } from "./random.ts";
import { byDeletion } from "./replica-set.ts";

export interface DayOptions {
  readonly seed: number;
  readonly calls: readonly Call[];
  /** A fixed number of pods, or the limits within which an autoscaler keeps them. */
  readonly pods: number | AutoscalerOptions;
  /** Whether the operator sets deletion costs. */
  readonly hasDeletionCosts: boolean;
  readonly graceSeconds: number;
  /** From its creation until a pod is ready. */
  readonly startSeconds?: number;
}

export interface DayResult {
  readonly lost: number;
  /** Calls that were open when their pod began to end. */
  readonly outlived: number;
  readonly podHours: number;
  /** Part of them in which pods only waited for their calls. */
  readonly drainingHours: number;
  readonly scaleIns: number;
  readonly mostPods: number;
  /** The most calls of one ready pod. */
  readonly mostCalls: number;
  /** Lines of the log about loads of pods. */
  readonly facts: number;
}

interface Pod {
  readonly uid: number;
  readonly readySince: number;
  isReady: boolean;
  deletionCost: number;
  /** When it began to end. */
  endsSince: number | undefined;
  calls: number;
}

/** As the operator asks (`src/runtime/deletion-costs.ts`), not in step with the autoscaler. */
const COST_SECONDS = 15;
const COST_OFFSET = 7;

export const simulateDay = (options: DayOptions): DayResult => {
  const { seed, calls, pods: wanted, hasDeletionCosts, graceSeconds, startSeconds = 20 } = options;
  const random = randomOf(seed);
  const autoscaler = typeof wanted === "number" ? undefined : createAutoscaler(wanted);
  let replicas = typeof wanted === "number" ? wanted : wanted.minReplicas;
  let pods: Pod[] = [];
  const ending = new Map<number, Pod[]>();
  const result = { lost: 0, outlived: 0, scaleIns: 0, mostPods: 0, mostCalls: 0, facts: 0 };
  let podSeconds = 0;
  let drainingSeconds = 0;
  let next = 0;

  const start = (now: number, isReady = false): Pod => ({
    uid: random.next(),
    readySince: isReady ? now : now + startSeconds,
    isReady,
    deletionCost: 0,
    endsSince: undefined,
    calls: 0,
  });
  const active = (): Pod[] => pods.filter(({ endsSince }) => endsSince === undefined);

  const reconcile = (now: number): void => {
    const present = active();
    for (let count = present.length; count < replicas; count += 1) pods.push(start(now, now === 0));
    for (const pod of present.toSorted(byDeletion(now)).slice(0, Math.max(0, present.length - replicas))) {
      pod.endsSince = now;
      result.scaleIns += 1;
      result.outlived += pod.calls;
    }
  };

  const begin = (now: number): void => {
    for (; next < calls.length && calls[next]!.begins < now + 1; next += 1) {
      const ready = active().filter(({ isReady }) => isReady);
      const pod = ready[Math.floor(random.next() * ready.length)]!;
      pod.calls += 1;
      result.mostCalls = Math.max(result.mostCalls, pod.calls);
      const end = Math.ceil(now + Math.max(1, calls[next]!.seconds));
      ending.set(end, [...(ending.get(end) ?? []), pod]);
    }
  };

  const setCosts = (): void => {
    for (const pod of active()) {
      if (!pod.isReady || !changesDeletionCost(pod.deletionCost, pod.calls)) continue;
      pod.deletionCost = deletionCost(pod.calls);
      result.facts += 1;
    }
  };

  // Calls of the evening may last beyond midnight.
  for (let now = 0; now < DAY_SECONDS || ending.size > 0; now += 1) {
    for (const pod of ending.get(now) ?? []) pod.calls -= 1;
    ending.delete(now);
    for (const pod of pods) if (now >= pod.readySince) pod.isReady = true;
    if (now % SYNC_SECONDS === 0 && autoscaler !== undefined && now < DAY_SECONDS) {
      const present = active();
      const ready = present.filter(({ isReady }) => isReady).map((pod) => pod.calls);
      replicas = autoscaler.sync(now, { replicas, ready, pending: present.length - ready.length });
    }
    reconcile(now);
    if (hasDeletionCosts && now % COST_SECONDS === COST_OFFSET) setCosts();
    begin(now);
    pods = pods.filter(({ endsSince, calls: open }) => {
      if (endsSince === undefined || (open > 0 && now < endsSince + graceSeconds)) return true;
      result.lost += open;
      return false;
    });
    if (now >= DAY_SECONDS) continue;
    podSeconds += pods.length;
    drainingSeconds += pods.length - active().length;
    result.mostPods = Math.max(result.mostPods, pods.length);
  }
  return { ...result, podHours: podSeconds / 3600, drainingHours: drainingSeconds / 3600 };
};
