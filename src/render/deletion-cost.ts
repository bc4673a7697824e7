/**
 * The deletion cost of a dataplane's pod: the number of its allocations. When a ReplicaSet is scaled in, the pods with the
 * lowest cost end first, so the fewest calls have to end while their pod waits for them.
 */
import type { Name } from "../resources/keys.ts";
import type { ObjectsView } from "../resources/view.ts";

/** Kubernetes accepts 32 bits. */
const HIGHEST_COST = 2 ** 31 - 1;
/** By how much the last recorded number has to change: part of it, and at least so many. */
const STEP = { part: 0.2, least: 2 } as const;

export const deletionCost = (allocations: number): number => Math.min(allocations, HIGHEST_COST);

/**
 * Whether a new number of allocations is recorded: it became zero, was zero, or changed by a fifth and by at least two. So the log grows
 * with the changes that matter for the order of pods, whatever the interval at which pods are asked.
 */
export const changesDeletionCost = (before: number, now: number): boolean =>
  now !== before && (now === 0 || before === 0 || Math.abs(now - before) >= Math.max(STEP.least, before * STEP.part));

/** Undefined if the load of the pod is unknown: its cost is then left as it is. */
export const renderDeletionCost = (view: Pick<ObjectsView, "get">, pod: Name): number | undefined => {
  const load = view.get("PodLoad", pod);
  return load === undefined ? undefined : deletionCost(load.spec.allocations);
};
