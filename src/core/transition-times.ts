/** Conditions in the form that Kubernetes requires: with the time at which their status last changed. */

interface Timed {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime?: string;
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const stampConditions = (before: readonly Timed[], next: readonly Timed[], time: string): readonly Timed[] =>
  next.map((condition) => {
    const same = before.find(({ type, status }) => type === condition.type && status === condition.status);
    // A condition that another controller wrote comes with its own time.
    return { ...condition, lastTransitionTime: condition.lastTransitionTime ?? same?.lastTransitionTime ?? time };
  });

const stamp = (before: unknown, next: unknown, time: string): unknown => {
  // Lists of listeners and parents keep their order, so entries are compared by position.
  if (Array.isArray(next))
    return next.map((item, i) => stamp(Array.isArray(before) ? before[i] : undefined, item, time));
  if (!isObject(next)) return next;
  return Object.fromEntries(
    Object.entries(next).map(([key, value]) => {
      const earlier = isObject(before) ? before[key] : undefined;
      return key === "conditions" && Array.isArray(value)
        ? [key, stampConditions(Array.isArray(earlier) ? earlier : [], value, time)]
        : [key, stamp(earlier, value, time)];
    }),
  );
};

/**
 * `next` with a `lastTransitionTime` in each condition: that of `before` if the status is the same, otherwise `time` (ms).
 */
export const stampTransitionTimes = (before: unknown, next: unknown, time: number): unknown =>
  // oxlint-disable-next-line no-restricted-globals -- only a notation of the time given
  stamp(before, next, `${new Date(time).toISOString().slice(0, 19)}Z`);
