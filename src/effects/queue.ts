/**
 * A work queue by key. Adding a key that waits changes nothing; adding a key that is in progress runs it once more. A
 * failed key is retried after a growing pause; other keys do not wait for it.
 */
import { backoffMs } from "../retry.ts";

export interface WorkQueue<K extends string> {
  add(key: K): void;
  /** Resolves once no key is waiting or in progress; keys that pause before a retry do not count. */
  idle(): Promise<void>;
  readonly size: number;
  close(): void;
}

export interface WorkQueueOptions<K extends string> {
  readonly work: (key: K) => Promise<void>;
  /** Called with each failure; `attempt` counts from 1. Returns the minimum pause before the next attempt, in ms. */
  readonly onFailure: (key: K, error: unknown, attempt: number) => number;
  readonly concurrency?: number;
  readonly firstPauseMs?: number;
  readonly longestPauseMs?: number;
}

export const createWorkQueue = <K extends string>(options: WorkQueueOptions<K>): WorkQueue<K> => {
  const { work, onFailure, concurrency = 32, firstPauseMs = 100, longestPauseMs = 30_000 } = options;
  const waiting = new Set<K>();
  const running = new Set<K>();
  const again = new Set<K>();
  const paused = new Map<K, NodeJS.Timeout>();
  const attempts = new Map<K, number>();
  let idlers: (() => void)[] = [];
  let closed = false;

  const settle = (): void => {
    if (waiting.size + running.size > 0) return;
    for (const resolve of idlers) resolve();
    idlers = [];
  };

  const fail = (key: K, error: unknown): void => {
    const attempt = (attempts.get(key) ?? 0) + 1;
    attempts.set(key, attempt);
    const least = onFailure(key, error, attempt);
    const pause = Math.max(least, backoffMs({ firstMs: firstPauseMs, longestMs: longestPauseMs }, attempt));
    const timer = setTimeout(() => {
      paused.delete(key);
      begin(key);
    }, pause);
    paused.set(key, timer.unref());
  };

  const run = async (key: K): Promise<void> => {
    try {
      await work(key);
      attempts.delete(key);
    } catch (error) {
      if (!closed) fail(key, error);
    }
    running.delete(key);
    if (again.delete(key)) add(key);
    next();
    settle();
  };

  const next = (): void => {
    for (const key of waiting) {
      if (running.size >= concurrency || closed) return;
      waiting.delete(key);
      running.add(key);
      void run(key);
    }
  };

  const begin = (key: K): void => {
    if (closed) return;
    waiting.add(key);
    next();
  };

  const add = (key: K): void => {
    if (running.has(key)) {
      again.add(key);
      return;
    }
    // A new request does not wait for the pause of the last one, and its own pauses start short again.
    clearTimeout(paused.get(key));
    paused.delete(key);
    attempts.delete(key);
    begin(key);
  };

  return {
    add,
    idle: () =>
      waiting.size + running.size === 0 ? Promise.resolve() : new Promise((resolve) => idlers.push(resolve)),
    get size() {
      return waiting.size + running.size + paused.size;
    },
    close() {
      closed = true;
      waiting.clear();
      for (const timer of paused.values()) clearTimeout(timer);
      paused.clear();
      settle();
    },
  };
};
