/** Waits of tests. */
import { setTimeout as pause } from "node:timers/promises";
import { vi } from "vitest";
import { PATIENCE_MS } from "./patience.ts";

/**
 * Resolves to what `check` returns once it neither throws nor rejects; rejects with its last error.
 * @param interval between two checks, in ms.
 */
export const eventually = <T>(check: () => T | Promise<T>, interval = 10): Promise<T> =>
  vi.waitFor(check, { timeout: PATIENCE_MS, interval });

/** Resolves after `ms`; rejects when `check`, done every `interval` ms until then, fails: for what must not happen. */
export const throughout = async (ms: number, check: () => void, interval = 10): Promise<void> => {
  const until = performance.now() + ms;
  do {
    check();
    await pause(interval);
  } while (performance.now() < until);
};
