/** A metric and its source. */
import type { Core } from "../core/core.ts";
import type { RelaySummary } from "../dataplane/relay.ts";
import type { FactTally } from "./fact-tally.ts";

/** Of usage records. */
export interface AccountingCounts {
  readonly sent: number;
  readonly waiting: number;
  readonly lost: number;
  /** Age of the oldest record that waits. */
  readonly lagSeconds: number;
}

export interface MetricSources {
  readonly core: Core;
  readonly relay: { summary(): Promise<RelaySummary> };
  readonly facts: FactTally;
  readonly journal: {
    readonly lastSeq: () => number;
    /** Why the disk rejects lines at the moment. */
    readonly refusal: () => string | undefined;
  };
  /** Undefined if accounting is off. */
  readonly accounting?: AccountingCounts | undefined;
  /** Requests made to the API server, by method; undefined if there is no API server. */
  readonly apiRequests?: Readonly<Record<string, number>>;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly samples: (sources: MetricSources, relay: RelaySummary) => readonly Sample[];
}

/** Of a metric without labels. */
export const total = (value: number): readonly Sample[] => [{ labels: {}, value }];

/** Of a metric with one label: a sample for every counter. */
export const by = (label: string, counters: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(counters).map(([key, value]) => ({ labels: { [label]: key }, value }));
