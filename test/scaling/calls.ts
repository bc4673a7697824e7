/** The calls of a working day: when they begin, and how long they last. */
import type { Random } from "./random.ts";

export interface Call {
  /** Seconds after midnight. */
  readonly begins: number;
  readonly seconds: number;
}

export const DAY_SECONDS = 24 * 3600;

/** How many calls begin in each hour, relative to each other: few at night, most before and after noon. */
const CURVE = [2, 1, 1, 1, 2, 5, 15, 40, 75, 95, 100, 90, 65, 80, 98, 95, 85, 65, 50, 45, 38, 25, 12, 5] as const;

/** Kinds of calls: their share, their median length in seconds, and how much lengths vary (of the logarithm). */
const KINDS = [
  { share: 0.7, median: 240, spread: 0.9 },
  { share: 0.27, median: 1800, spread: 0.5 },
  { share: 0.03, median: 4500, spread: 0.3 },
] as const;

export const LONGEST_SECONDS = 3 * 3600;

const begin = ({ next }: Random): number => {
  const total = CURVE.reduce((sum, weight) => sum + weight, 0);
  let rest = next() * total;
  for (const [hour, weight] of CURVE.entries()) {
    if (rest < weight) return (hour + rest / weight) * 3600;
    rest -= weight;
  }
  return DAY_SECONDS - 1;
};

const length = (random: Random): number => {
  let rest = random.next();
  const kind = KINDS.find(({ share }) => (rest -= share) < 0) ?? KINDS[0];
  return Math.min(LONGEST_SECONDS, Math.max(5, kind.median * Math.exp(kind.spread * random.normal())));
};

/** In the order in which they begin. */
export const callsOfDay = (count: number, random: Random): readonly Call[] =>
  Array.from({ length: count }, () => ({ begins: begin(random), seconds: length(random) })).toSorted(
    (a, b) => a.begins - b.begins,
  );

/** The most calls that are open at the same time. */
export const peakOf = (calls: readonly Call[]): number => {
  const changes = calls.flatMap(({ begins, seconds }) => [
    { at: begins, by: 1 },
    { at: begins + seconds, by: -1 },
  ]);
  let open = 0;
  let peak = 0;
  for (const { by } of changes.toSorted((a, b) => a.at - b.at)) peak = Math.max(peak, (open += by));
  return peak;
};
