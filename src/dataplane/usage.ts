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

/** The counters of one cluster, and what earlier reports contain of them. */
interface Counted {
  readonly cluster: string;
  readonly traffic: Traffic;
  reported: Traffic | undefined;
}

export class Usage {
  readonly #openedAt: number;
  /** Nearly always one. */
  readonly #counted: Counted[] = [];
  #reports = 0;

  /** @param openedAt in ms since 1970. */
  constructor(openedAt: number) {
    this.#openedAt = openedAt;
  }

  /** The counters for packets of a cluster; the packet path updates them. */
  of(cluster: string): Traffic {
    const present = this.#counted.find((one) => one.cluster === cluster);
    if (present !== undefined) return present.traffic;
    const traffic = noTraffic();
    this.#counted.push({ cluster, traffic, reported: undefined });
    return traffic;
  }

  /** The counters of each cluster. */
  entries(): readonly { readonly cluster: string; readonly traffic: Traffic }[] {
    return this.#counted;
  }

  /** What was counted since the last call. A cluster has the name of its route. */
  report(): UsageSummary {
    const routes: RouteUsage[] = [];
    for (const counted of this.#counted) {
      const { cluster, traffic, reported } = counted;
      const since = minus(traffic, reported ?? noTraffic());
      if (since.packetsIn + since.packetsOut === 0) continue;
      routes.push({ route: cluster, ...since });
      counted.reported = { ...traffic };
    }
    this.#reports += 1;
    return { openedAt: this.#openedAt, report: this.#reports, routes };
  }
}
