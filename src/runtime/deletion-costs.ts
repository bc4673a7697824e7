/**
 * The deletion cost of dataplanes' pods. While this process leads, it asks each ready pod how many allocations it has;
 * changes become facts, the core concludes the cost, and the pod gets it as an annotation.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { messageOf, TurnpikeError } from "../errors.ts";
import type { Fact } from "../journal/fact.ts";
import { ApiError, type Api } from "../kubernetes/api.ts";
import {
  allocationsOfPod,
  annotateDeletionCost,
  listDataplanePods,
  type DataplanePod,
} from "../kubernetes/dataplane-pods.ts";
import { changesDeletionCost } from "../render/deletion-cost.ts";
import { nameOfObject, splitName, type Name } from "../resources/keys.ts";
import type { PodLoad } from "../resources/pod-load.ts";
import type { Loop } from "./loop.ts";

export interface DeletionCostOptions {
  /** Pause between two rounds, in ms; 15,000 by default, like the interval of a HorizontalPodAutoscaler. */
  readonly everyMs?: number;
  /** Of the pods' health checks; 8086 by default. */
  readonly podPort?: number;
}

export interface DeletionCosts {
  /** Starts, or stops, to ask and to write. */
  lead(leads: boolean): void;
  close(): void;
}

interface Parts extends DeletionCostOptions {
  readonly api: Api;
  readonly loop: Loop;
  /** All if absent. */
  readonly namespaces: readonly string[] | undefined;
  readonly log: Logger;
}

const EVERY_MS = 15_000;
const POD_PORT = 8086;
/** Requests in flight. */
const AT_ONCE = 16;
/** Target of the list. */
const PODS = "pods of dataplanes";

const forEachOf = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
};

const loadOf = ({ name: pod, gateway }: DataplanePod, allocations: number): PodLoad => {
  const { namespace, name } = splitName(pod);
  return {
    apiVersion: "turnpike/v1",
    kind: "PodLoad",
    metadata: { namespace, name },
    spec: { gateway, allocations },
  };
};

export const startDeletionCosts = (parts: Parts): DeletionCosts => {
  const { api, loop, namespaces, log, everyMs = EVERY_MS, podPort = POD_PORT } = parts;
  const { core } = loop;
  /** What has failed, with its target: it is recorded once, until it succeeds. */
  const failed = new Map<string, Name | typeof PODS>();
  let leading: AbortController | undefined;

  const tell = (fact: Fact): void => void loop.take([{ fact, source: "pods", cause: null }]);

  const attempt = async (
    effect: string,
    target: Name | typeof PODS,
    work: () => Promise<void>,
    signal: AbortSignal,
  ) => {
    const key = `${effect} ${target}`;
    try {
      await work();
      failed.delete(key);
    } catch (error) {
      if (signal.aborted) return;
      const code = error instanceof TurnpikeError ? `${error.code}: ` : "";
      const reason = `${code}${messageOf(error)}`;
      log.debug({ target, reason }, `${effect} failed`);
      if (failed.has(key)) return;
      failed.set(key, target);
      const status = error instanceof ApiError && error.status !== 0 ? { status: error.status } : {};
      tell({ type: "effect.failed", data: { effect, target, reason, ...status } });
    }
  };

  /** DaemonSets are not scaled, and pods of others are not ours. */
  const isScaled = ({ gateway }: DataplanePod): boolean =>
    core.rendered(gateway)?.objects.some(({ kind }) => kind === "Deployment") === true;

  const forget = (pods: readonly DataplanePod[]): void => {
    const known = new Set(pods.map(({ name }) => name));
    for (const load of core.view.list("PodLoad")) {
      const name = nameOfObject("PodLoad", load);
      if (!known.has(name)) tell({ type: "object.gone", data: { kind: "PodLoad", name } });
    }
    for (const [key, pod] of failed) if (pod !== PODS && !known.has(pod)) failed.delete(key);
  };

  const measure = async (pod: DataplanePod, signal: AbortSignal): Promise<void> => {
    const { name, address, isReady, cost } = pod;
    if (!isReady || address === undefined) return;
    const allocations = await allocationsOfPod(address, podPort, signal);
    // After a start, what was annotated before still counts.
    const before = core.view.get("PodLoad", name)?.spec.allocations ?? cost;
    if (signal.aborted || !changesDeletionCost(before, allocations)) return;
    tell({ type: "object.seen", data: { kind: "PodLoad", object: loadOf(pod, allocations) } });
  };

  const annotate = async (pod: DataplanePod, signal: AbortSignal): Promise<void> => {
    const cost = core.deletionCost(pod.name);
    if (cost === undefined || cost === pod.cost) return;
    await annotateDeletionCost(api, pod, cost, signal);
  };

  const round = async (signal: AbortSignal): Promise<void> => {
    const all = await listDataplanePods(api, namespaces, signal);
    if (signal.aborted) return;
    const pods = all.filter((pod) => !pod.isForeignCost && isScaled(pod));
    forget(pods);
    await forEachOf(pods, (pod) => attempt("measure", pod.name, () => measure(pod, signal), signal));
    // What was concluded is in the log before it is written to a pod.
    await loop.afterFold();
    if (signal.aborted) return;
    await forEachOf(pods, (pod) => attempt("annotate", pod.name, () => annotate(pod, signal), signal));
  };

  const follow = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await attempt("list", PODS, () => round(signal), signal);
      await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  };

  const lead = (leads: boolean): void => {
    leading?.abort();
    leading = leads ? new AbortController() : undefined;
    if (leading !== undefined) void follow(leading.signal);
  };

  return { lead, close: () => lead(false) };
};
