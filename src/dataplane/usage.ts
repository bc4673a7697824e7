/** What one allocation has relayed, by cluster, and how much of it earlier reports contain. */
import type { RouteUsage, UsageSummary } from "../journal/fact.ts";
import { noTraffic, type Traffic } from "./flows.ts";

const minus = (now: Traffic, before: Traffic): Traffic => ({
  bytesIn: now.bytesIn - before.bytesIn,
  bytesOut: now.bytesOut - before.bytesOut,
  packetsIn: now.packetsIn - before.packetsIn,
  packetsOut: now.packetsOut - before.packetsOut,
});

export const addTraffic = (to: Traffic, more: Traffic): void => {
  to.bytesIn += more.bytesIn;
  to.bytesOut += more.bytesOut;
  to.packetsIn += more.packetsIn;
  to.packetsOut += more.packetsOut;
};

export class Usage {
  readonly #openedAt: number;
  readonly #byCluster = new Map<string, Traffic>();
  /** What earlier reports contain; most allocations end before the second one. */
  #reported: Map<string, Traffic> | undefined;
  #reports = 0;

  /** @param openedAt in ms since 1970. */
  constructor(openedAt: number) {
    this.#openedAt = openedAt;
  }

  /** The counters for packets of a cluster; the packet path updates them. */
  of(cluster: string): Traffic {
    let traffic = this.#byCluster.get(cluster);
    if (traffic === undefined) this.#byCluster.set(cluster, (traffic = noTraffic()));
    return traffic;
  }

  entries(): Iterable<readonly [string, Traffic]> {
    return this.#byCluster;
  }

  /** What was counted since the last call. A cluster has the name of its route. */
  report(): UsageSummary {
    const routes: RouteUsage[] = [];
    for (const [cluster, now] of this.#byCluster) {
      const since = minus(now, this.#reported?.get(cluster) ?? noTraffic());
      if (since.packetsIn + since.packetsOut === 0) continue;
      routes.push({ route: cluster, ...since });
      (this.#reported ??= new Map()).set(cluster, { ...now });
    }
    this.#reports += 1;
    return { openedAt: this.#openedAt, report: this.#reports, routes };
  }
}
