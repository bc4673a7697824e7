import { of, Subject, throwError, type Observable } from "rxjs";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { follow } from "./follow.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Follows one source after the other, and writes down what happens. */
const followed = (...sources: readonly Observable<string>[]) => {
  const said: string[] = [];
  let tries = 0;
  const stop = follow<string>({
    start: () => sources[Math.min(tries++, sources.length - 1)]!,
    onNext: (value) => said.push(value),
    onFailure: (reason) => said.push(`lost: ${reason}`),
    onRestored: () => said.push("restored"),
  });
  return { said, stop, tries: () => tries };
};
const failing = throwError(() => new Error("no"));

it("passes on what a source says", () => expect(followed(of("a", "b")).said).toEqual(["a", "b"]));

it("starts a source again that has failed, and reports the first failure and the return", async () => {
  const { said } = followed(failing, failing, of("a"));
  await vi.advanceTimersByTimeAsync(2000);
  expect(said).toEqual(["lost: no", "restored", "a"]);
});

it("pauses longer after each failure, half a minute at most", async () => {
  const { tries } = followed(failing);
  await vi.advanceTimersByTimeAsync(250);
  expect(tries()).toBe(2);
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  expect(tries()).toBeLessThanOrEqual(60);
  expect(tries()).toBeGreaterThan(20);
});

it("takes what is thrown at the start for a failure", async () => {
  const said: string[] = [];
  const stop = follow({
    start: () => {
      throw new Error("not yet");
    },
    onNext: () => undefined,
    onFailure: (reason) => said.push(reason),
    onRestored: () => undefined,
  });
  expect(said).toEqual(["not yet"]);
  stop();
});

it("stops at once, in the middle of a pause or not", async () => {
  const { stop, tries } = followed(failing);
  stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(tries()).toBe(1);
  const source = new Subject<string>();
  const other = followed(source);
  other.stop();
  source.next("a");
  expect(other.said).toEqual([]);
});
