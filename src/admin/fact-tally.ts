/** Metrics of the event log. */
import type { FactLine } from "../journal/fact.ts";

export interface FactTally {
  note(fact: FactLine): void;
  /** Whether the watches are connected; false while a list fails. */
  readonly isWatching: boolean;
  readonly watchesLost: number;
  /** By `effect`. */
  readonly failures: Readonly<Record<string, number>>;
  /** Documents rejected, by code, including those that were corrected since. */
  readonly rejections: Readonly<Record<string, number>>;
  /** Documents that are rejected at present, by code. */
  readonly standing: Readonly<Record<string, number>>;
  readonly workersLost: number;
  /** Seconds to the first complete list, by kind and version (`KIND VERSION`), of served ones. */
  readonly lists: ReadonlyMap<string, number>;
  /** When the config of a gateway last became active, in ms since 1970. */
  readonly published: ReadonlyMap<string, number>;
}

const increase = (counts: Record<string, number>, key: string): void => void (counts[key] = (counts[key] ?? 0) + 1);

export const createFactTally = (): FactTally => {
  const failures: Record<string, number> = {};
  const rejections: Record<string, number> = {};
  const standing = new Map<string, string>();
  const published = new Map<string, number>();
  const lists = new Map<string, number>();
  let isWatching = false;
  let watchesLost = 0;
  let workersLost = 0;

  return {
    note({ type, data, time }) {
      switch (type) {
        case "objects.synced":
        case "watch.restored":
          isWatching = true;
          return;
        case "watch.lost":
          isWatching = false;
          watchesLost += 1;
          return;
        case "kind.listed":
          lists.set(`${data.kind} ${data.version}`, data.seconds);
          return;
        case "kind.absent":
          lists.delete(`${data.kind} ${data.version}`);
          return;
        case "effect.failed":
          increase(failures, data.effect);
          return;
        case "object.rejected":
          increase(rejections, data.code);
          standing.set(JSON.stringify(data), data.code);
          return;
        case "object.corrected":
          standing.delete(JSON.stringify(data));
          return;
        case "worker.lost":
          workersLost += 1;
          return;
        case "gateway.published":
          published.set(data.gateway, time);
          return;
        case "gateway.removed":
          published.delete(data.gateway);
          return;
        default:
      }
    },
    get isWatching() {
      return isWatching;
    },
    get watchesLost() {
      return watchesLost;
    },
    get workersLost() {
      return workersLost;
    },
    failures,
    rejections,
    get standing() {
      const counts: Record<string, number> = {};
      for (const code of standing.values()) increase(counts, code);
      return counts;
    },
    published,
    lists,
  };
};
