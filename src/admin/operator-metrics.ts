/**
 * The metrics of STUNner's gateway operator, with its names, for this operator: a fold is its render, a write its update.
 */
import { Counter, Gauge, Histogram, type Registry } from "@prometheus-io/client";
import type { Write } from "../effects/reconcile.ts";
import { splitWriteKey } from "../effects/writer.ts";
import type { FactLine } from "../journal/fact.ts";
import { splitKey, type ObjectKey } from "../resources/keys.ts";
import { kindOf } from "../resources/kinds.ts";

const PREFIX = "stunner_gateway_operator_";

/** Name (without the prefix), labels, help. */
const counters = {
  render_total: [[], "Folds: all that facts had touched was rendered."],
  update_total: [["result"], "Tries to write an object or a status, by how they ended: success or error."],
  update_errors_total: [[], "Tries to write that failed; each is tried again."],
  resource_operations_total: [
    ["scope", "kind", "operation"],
    "What was done to objects (scope spec) and statuses: each try is an attempt, and suppressed (it was as it should be), created, updated, updatedStatusOnly, removed, none (it was not there, or not ours) or error; retryPass counts successes after a failure. updatedStatus does not occur.",
  ],
  reconcile_events_total: [
    ["result"],
    "Objects seen, changed or gone. All are passed: throttled is always 0, since nothing waits for a throttle.",
  ],
} as const;

const histograms = {
  render_time_seconds: "Seconds that a fold took.",
  update_time_seconds: "Seconds that a try to write took, looking included.",
} as const;

const gauges = {
  generation: "Folds so far.",
  generation_last_acked:
    "The last fold after which all was written. Behind generation on a standby, and while a write fails.",
  operator_loop_last_active_timestamp_seconds: "When the loop that takes facts last ran, in Unix seconds.",
  renderer_loop_last_active_timestamp_seconds: "The same: one loop takes facts, renders and starts writes.",
  updater_loop_last_active_timestamp_seconds: "The same: one loop takes facts, renders and starts writes.",
} as const;

/** For the documentation. */
export const operatorMetrics: readonly {
  readonly name: string;
  readonly labels: readonly string[];
  readonly help: string;
}[] = [
  ...Object.entries(counters).map(([name, [labels, help]]) => ({ name: PREFIX + name, labels, help })),
  ...Object.entries({ ...histograms, ...gauges }).map(([name, help]) => ({ name: PREFIX + name, labels: [], help })),
];

/** From 5 ms to one minute. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** While the loops run, their timestamps are never older than this, in ms. */
export const HEARTBEAT_MS = 5000;

export interface OperatorMeter {
  took(fact: FactLine): void;
  folded(seconds: number): void;
  wrote(write: Write): void;
  /** All folded changes are written. */
  settled(): void;
  /** The loops run. */
  beat(): void;
}

const operationOf = (scope: "spec" | "status", outcome: Write["outcome"]): string => {
  switch (outcome) {
    case "created":
    case "removed":
    case "error":
      return outcome;
    case "updated":
      return scope === "status" ? "updatedStatusOnly" : "updated";
    case "unchanged":
      return "suppressed";
    case "absent":
    case "foreign":
      return "none";
    default:
      return outcome satisfies never;
  }
};

export const createOperatorMeter = (registry: Registry): OperatorMeter => {
  const registers = [registry];
  const counter = (name: keyof typeof counters): Counter<string> => {
    const [labels, help] = counters[name];
    return new Counter<string>({ name: PREFIX + name, help, labelNames: [...labels], registers });
  };
  const histogram = (name: keyof typeof histograms): Histogram =>
    new Histogram({ name: PREFIX + name, help: histograms[name], buckets: BUCKETS, registers });
  const gauge = (name: keyof typeof gauges): Gauge => new Gauge({ name: PREFIX + name, help: gauges[name], registers });

  const renders = counter("render_total");
  const updates = counter("update_total");
  const updateErrors = counter("update_errors_total");
  const operations = counter("resource_operations_total");
  const events = counter("reconcile_events_total");
  const renderTime = histogram("render_time_seconds");
  const updateTime = histogram("update_time_seconds");
  const generation = gauge("generation");
  const acked = gauge("generation_last_acked");
  const loops = (["operator", "renderer", "updater"] as const).map((loop) =>
    gauge(`${loop}_loop_last_active_timestamp_seconds`),
  );
  for (const result of ["success", "error"]) updates.inc({ result }, 0);
  for (const result of ["passed", "throttled"]) events.inc({ result }, 0);
  let folds = 0;

  return {
    took(fact) {
      if (fact.type === "object.seen" || fact.type === "object.gone") events.inc({ result: "passed" });
    },
    folded(seconds) {
      folds += 1;
      renders.inc();
      renderTime.observe(seconds);
      generation.set(folds);
    },
    wrote({ key, outcome, isRetry, seconds }) {
      const { what, name } = splitWriteKey(key);
      const scope = what === "status" ? "status" : "spec";
      const kind = what === "status" ? kindOf(splitKey(name as ObjectKey).kind).kind : what;
      const count = (operation: string): void => operations.inc({ scope, kind, operation });
      count("attempt");
      count(operationOf(scope, outcome));
      if (isRetry && outcome !== "error") count("retryPass");
      updates.inc({ result: outcome === "error" ? "error" : "success" });
      if (outcome === "error") updateErrors.inc();
      updateTime.observe(seconds);
    },
    settled: () => acked.set(folds),
    beat() {
      for (const loop of loops) loop.setToCurrentTime();
    },
  };
};
