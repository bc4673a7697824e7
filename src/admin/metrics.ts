/** Every metric, read from the program's state when it is scraped. */
import { Counter, Gauge, Registry, collectDefaultMetrics } from "@prometheus-io/client";
import { coreMetrics } from "./core-metrics.ts";
import { accountingMetrics } from "./accounting-metrics.ts";
import type { Metric, MetricSources, Sample } from "./metric.ts";
import { relayMetrics } from "./relay-metrics.ts";

const utilization = ["nodejs_eventloop_utilization_summary", "nodejs_eventloop_utilization_histogram"];
const maxTimeoutMs = 2 ** 31 - 1;

export const metrics: readonly Metric[] = [...relayMetrics, ...coreMetrics, ...accountingMetrics];

/** @param registry with the metrics of other components. */
export const createMetrics = (
  sources: MetricSources,
  registry = new Registry(),
): { readonly contentType: string; scrape(): Promise<string> } => {
  // The batch engine waits where Node does not count it as idle: utilization would always be 1.
  collectDefaultMetrics({ register: registry, eventLoopUtilizationTimeout: maxTimeoutMs });
  for (const name of utilization) registry.removeSingleMetric(name);
  // Both are read from the state at each scrape, so a counter is also set to its total.
  const series = metrics.map((metric) => {
    const { name, help, labels } = metric;
    const configuration = { name, help, labelNames: [...labels], registers: [registry] };
    if (name.endsWith("_total")) {
      const counter = new Counter(configuration);
      return { metric, reset: () => counter.reset(), set: (to: Sample) => counter.inc(to.labels, to.value) };
    }
    const gauge = new Gauge(configuration);
    return { metric, reset: () => gauge.reset(), set: (to: Sample) => gauge.set(to.labels, to.value) };
  });
  return {
    contentType: registry.contentType,
    async scrape() {
      const relay = await sources.relay.summary();
      for (const { metric, reset, set } of series) {
        reset();
        for (const sample of metric.samples(sources, relay)) set(sample);
      }
      return registry.metrics();
    },
  };
};
