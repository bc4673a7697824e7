import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createWorkQueue, type WorkQueueOptions } from "./queue.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Work that ends when told: `ends.get("a")?.()`. */
const setUp = (options: Partial<WorkQueueOptions<string>> = {}) => {
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const failures: string[] = [];
  const queue = createWorkQueue<string>({
    work: (key) => {
      begun.push(key);
      return new Promise((resolve, reject) =>
        ends.set(key, (error) => (error === undefined ? resolve() : reject(error))),
      );
    },
    onFailure: (key, _, attempt) => {
      failures.push(`${key} ${attempt}`);
      return 0;
    },
    ...options,
  });
  const end = async (key: string, error?: Error): Promise<void> => {
    ends.get(key)?.(error);
    await vi.advanceTimersByTimeAsync(0);
  };
  const fail = (key: string): Promise<void> => end(key, new Error("no"));
  return { queue, begun, failures, end, fail };
};

describe("a queue", () => {
  it("begins at once, and does a key that waits only once", async () => {
    const { queue, begun, end } = setUp({ concurrency: 1 });
    for (const key of ["a", "b", "b", "c", "b"]) queue.add(key);
    expect(begun).toEqual(["a"]);
    for (const key of ["a", "b", "c"]) await end(key);
    expect(begun).toEqual(["a", "b", "c"]);
    expect(queue.size).toBe(0);
  });

  it("does once more what was asked for while it was done", async () => {
    const { queue, begun, end } = setUp();
    queue.add("a");
    queue.add("a");
    queue.add("a");
    expect(begun).toEqual(["a"]);
    await end("a");
    expect(begun).toEqual(["a", "a"]);
    await end("a");
    expect(begun).toEqual(["a", "a"]);
  });

  it("does no more than it may at a time", async () => {
    const { queue, begun, end } = setUp({ concurrency: 2 });
    for (const key of ["a", "b", "c", "d"]) queue.add(key);
    expect(begun).toEqual(["a", "b"]);
    await end("b");
    expect(begun).toEqual(["a", "b", "c"]);
  });

  it("tries again after pauses that grow, up to a limit, and forgets them with success", async () => {
    const { queue, begun, failures, fail, end } = setUp({ firstPauseMs: 100, longestPauseMs: 400 });
    queue.add("a");
    for (const [least, most] of [
      [50, 100],
      [100, 200],
      [200, 400],
      [200, 400],
    ] as const) {
      const before = begun.length;
      await fail("a");
      await vi.advanceTimersByTimeAsync(least - 1);
      expect(begun).toHaveLength(before);
      await vi.advanceTimersByTimeAsync(most - least + 1);
      expect(begun).toHaveLength(before + 1);
    }
    expect(failures).toEqual(["a 1", "a 2", "a 3", "a 4"]);
    await end("a");
    queue.add("a");
    await fail("a");
    expect(failures.at(-1)).toBe("a 1");
  });

  it("pauses for as long as it is asked to", async () => {
    const { queue, begun, fail } = setUp({ onFailure: () => 5000 });
    queue.add("a");
    await fail("a");
    await vi.advanceTimersByTimeAsync(4999);
    expect(begun).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(begun).toHaveLength(2);
  });

  it("does not let other keys wait, nor a new wish for the same", async () => {
    const { queue, begun, fail, end } = setUp({ concurrency: 1, firstPauseMs: 10_000 });
    queue.add("a");
    await fail("a");
    queue.add("b");
    expect(begun).toEqual(["a", "b"]);
    await end("b");
    queue.add("a");
    expect(begun).toEqual(["a", "b", "a"]);
    await end("a");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(begun).toEqual(["a", "b", "a"]);
  });

  it("does not let a new wish pause for long because of the failures of old ones", async () => {
    const { queue, begun, failures, fail } = setUp({ firstPauseMs: 100 });
    for (let wish = 0; wish < 9; wish += 1) {
      queue.add("a");
      await fail("a");
    }
    expect(failures.at(-1)).toBe("a 1");
    await vi.advanceTimersByTimeAsync(100);
    expect(begun).toHaveLength(10);
  });

  it("begins at once what was asked for while a try of it failed", async () => {
    const { queue, begun, fail } = setUp({ firstPauseMs: 10_000 });
    queue.add("a");
    queue.add("a");
    await fail("a");
    expect(begun).toEqual(["a", "a"]);
  });

  it("is idle once nothing waits or is done; a pause does not count", async () => {
    const { queue, end, fail } = setUp({ concurrency: 1 });
    await queue.idle();
    const idle = vi.fn<() => void>();
    queue.add("a");
    queue.add("b");
    void queue.idle().then(idle);
    await end("a");
    expect(idle).not.toHaveBeenCalled();
    await fail("b");
    expect(idle).toHaveBeenCalledOnce();
    expect(queue.size).toBe(1);
  });

  it("begins nothing once it is closed, and is idle when the last has ended", async () => {
    const { queue, begun, end, fail } = setUp({ concurrency: 2 });
    for (const key of ["paused", "a", "b", "a"]) queue.add(key);
    await fail("paused");
    const idle = vi.fn<() => void>();
    void queue.idle().then(idle);
    queue.close();
    queue.add("c");
    await fail("a");
    expect(idle).not.toHaveBeenCalled();
    await end("b");
    expect(idle).toHaveBeenCalledOnce();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(begun).toEqual(["paused", "a", "b"]);
    expect(queue.size).toBe(0);
  });
});
