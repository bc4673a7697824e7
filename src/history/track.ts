/** The history of a value by line: read at any line, written only at the end. */

export interface Track<T> {
  /** Sets the value from the line at `position` on; `undefined`: removed. Positions never decrease. */
  put(position: number, value: T | undefined): void;
  /** The value as of the line at `position`. Values that were put before `from` do not count. */
  at(position: number, from: number): T | undefined;
  /** Position of the line that set the value of `at`, also if that value is `undefined`. */
  since(position: number, from: number): number | undefined;
  /** Positions at which it changed, oldest first. */
  readonly changes: readonly number[];
}

/** The index of the last of `sorted` that is at most `limit`; -1 if there is none. */
export const lastAtMost = (sorted: readonly number[], limit: number): number => {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? Infinity) <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
};

export const createTrack = <T>(): Track<T> => {
  const changes: number[] = [];
  const values: (T | undefined)[] = [];

  const find = (position: number, from: number): number => {
    const index = lastAtMost(changes, position);
    return (changes[index] ?? -1) >= from ? index : -1;
  };

  return {
    changes,
    put(position, value) {
      if (changes.at(-1) === position) values[values.length - 1] = value;
      else {
        changes.push(position);
        values.push(value);
      }
    },
    at: (position, from) => values[find(position, from)],
    since: (position, from) => changes[find(position, from)],
  };
};

/** Tracks by subject. */
export interface Tracks<K extends string, T> {
  of(key: K): Track<T> | undefined;
  put(key: K, position: number, value: T | undefined): void;
  /** In order of first appearance. */
  readonly all: ReadonlyMap<K, Track<T>>;
}

export const createTracks = <K extends string, T>(): Tracks<K, T> => {
  const all = new Map<K, Track<T>>();
  return {
    all,
    of: (key) => all.get(key),
    put(key, position, value) {
      let track = all.get(key);
      if (track === undefined) all.set(key, (track = createTrack()));
      track.put(position, value);
    },
  };
};
