/** The number of allocations of each user over all workers, so that one quota holds for all of them together. */
export interface Quota {
  take(gateway: string, user: string, limit: number): Promise<boolean>;
  give(gateway: string, user: string): void;
}

export interface Quotas {
  /** The view of one relay. */
  of(relay: number): Quota;
  /** Releases what a relay that has ended had reserved. */
  forget(relay: number): void;
}

export const createQuotas = (): Quotas => {
  const totals = new Map<string, number>();
  const byRelay = new Map<number, Map<string, number>>();

  const add = (counts: Map<string, number>, key: string, change: number): void => {
    const now = (counts.get(key) ?? 0) + change;
    if (now > 0) counts.set(key, now);
    else counts.delete(key);
  };

  return {
    of(relay) {
      const own = new Map<string, number>();
      byRelay.set(relay, own);
      return {
        // oxlint-disable-next-line require-await -- from a worker it is an answer that takes time
        async take(gateway, user, limit) {
          const key = `${gateway} ${user}`;
          if ((totals.get(key) ?? 0) >= limit) return false;
          add(totals, key, 1);
          add(own, key, 1);
          return true;
        },
        give(gateway, user) {
          const key = `${gateway} ${user}`;
          if (!own.has(key)) return;
          add(totals, key, -1);
          add(own, key, -1);
        },
      };
    },
    forget(relay) {
      for (const [key, count] of byRelay.get(relay) ?? []) add(totals, key, -count);
      byRelay.get(relay)?.clear();
    },
  };
};
