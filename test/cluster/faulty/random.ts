/** Reproducible random choices: the same seed gives the same choices. */
import { onTestFailed } from "vitest";

export interface Random {
  /** From 0 to below 1. */
  next(): number;
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number;
  pick<T>(list: readonly T[]): T;
  chance(share: number): boolean;
  /** Another one, whose choices do not depend on how often this one is asked. */
  fork(): Random;
}

/** Mulberry32. */
export const createRandom = (seed: number): Random => {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    between,
    pick: (list) => list[between(0, list.length - 1)]!,
    chance: (share) => next() < share,
    fork: () => createRandom(between(0, 2 ** 31)),
  };
};

/** For the test that runs: of `FAULTS_SEED`, or of a seed that is printed if it fails. */
export const randomOfTest = (): Random => {
  const seed = Number(process.env["FAULTS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  onTestFailed(() => console.error(`the same choices again: FAULTS_SEED=${seed}`));
  return createRandom(seed);
};
