/** The same days with a fixed number of pods and with autoscalers, with and without deletion costs; means of all days. */
import { callsOfDay, LONGEST_SECONDS, peakOf } from "./calls.ts";
import { simulateDay, type DayOptions, type DayResult } from "./day.ts";
import { randomOf } from "./random.ts";

export const CALLS = 10_000;

export interface Row extends DayResult {
  readonly graceSeconds: number;
  readonly pods: "fixed" | "autoscaled" | "autoscaled, deletion costs";
}

/** The defaults of the chart. */
const SCALE_IN = { stabilizationWindowSeconds: 600, pods: 1, periodSeconds: 300 } as const;

const meanOf = (results: readonly DayResult[]): DayResult => {
  const mean = (field: keyof DayResult): number =>
    results.reduce((sum, result) => sum + result[field], 0) / results.length;
  return {
    lost: mean("lost"),
    outlived: mean("outlived"),
    podHours: mean("podHours"),
    drainingHours: mean("drainingHours"),
    scaleIns: mean("scaleIns"),
    mostPods: mean("mostPods"),
    mostCalls: mean("mostCalls"),
    facts: mean("facts"),
  };
};

/** @param seeds one for each day */
export const compare = (callsPerPod: number, seeds: readonly number[]): readonly Row[] => {
  const days = seeds.map((seed) => ({ seed, calls: callsOfDay(CALLS, randomOf(seed)) }));
  const autoscaler = { minReplicas: 2, maxReplicas: 60, target: callsPerPod, scaleIn: SCALE_IN };
  const row = (pods: Row["pods"], graceSeconds: number): Row => {
    const results = days.map(({ seed, calls }) => {
      const wanted: DayOptions["pods"] = pods === "fixed" ? Math.ceil(peakOf(calls) / callsPerPod) : autoscaler;
      return simulateDay({
        seed,
        calls,
        pods: wanted,
        graceSeconds,
        hasDeletionCosts: pods === "autoscaled, deletion costs",
      });
    });
    return { graceSeconds, pods, ...meanOf(results) };
  };
  return [
    row("fixed", LONGEST_SECONDS),
    ...[LONGEST_SECONDS, 3600, 1800].flatMap((grace) => [
      row("autoscaled", grace),
      row("autoscaled, deletion costs", grace),
    ]),
  ];
};

const number = (value: number, digits = 0): string => value.toFixed(digits);

/** For people. */
export const tableOf = (rows: readonly Row[]): readonly Readonly<Record<string, string>>[] =>
  rows.map(({ pods, graceSeconds, ...row }) => ({
    pods,
    "grace period": `${graceSeconds / 60} min`,
    "calls lost": number(row.lost, 1),
    "open in ending pods": number(row.outlived),
    "pod hours": number(row.podHours),
    "of these draining": number(row.drainingHours, 1),
    "most pods": number(row.mostPods),
    "pods ended": number(row.scaleIns),
    "load facts": number(row.facts),
  }));
