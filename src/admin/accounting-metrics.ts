/** Metrics of accounting: none if it is off. */
import { total, type AccountingCounts, type Metric, type Sample } from "./metric.ts";

const of =
  (value: (counts: AccountingCounts) => number): Metric["samples"] =>
  ({ accounting }): readonly Sample[] =>
    accounting === undefined ? [] : total(value(accounting));

export const accountingMetrics: readonly Metric[] = [
  {
    name: "turnpike_accounting_records_sent_total",
    help: "Usage records that the receiver of accounting has acknowledged.",
    labels: [],
    samples: of(({ sent }) => sent),
  },
  {
    name: "turnpike_accounting_records_waiting",
    help: "Usage records in the event log that the receiver of accounting has not acknowledged.",
    labels: [],
    samples: of(({ waiting }) => waiting),
  },
  {
    name: "turnpike_accounting_records_lost_total",
    help: "Usage records that are never sent, because the event log no longer has them, or that the receiver refused for good.",
    labels: [],
    samples: of(({ lost }) => lost),
  },
  {
    name: "turnpike_accounting_lag_seconds",
    help: "Age of the oldest usage record that the receiver of accounting has not acknowledged; 0 if there is none.",
    labels: [],
    samples: of(({ lagSeconds }) => lagSeconds),
  },
];
