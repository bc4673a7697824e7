import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createRecovery } from "./recovery.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const start = (recovery = createRecovery(), count = recovery.count, stopping = new AbortController()) => {
  const state = { isOver: false };
  void recovery.pause(60_000, stopping.signal, count).then(() => (state.isOver = true));
  return { recovery, state, stopping };
};

it("pauses for as long as it is asked to", async () => {
  const { state } = start();
  await vi.advanceTimersByTimeAsync(59_999);
  expect(state.isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(state.isOver).toBe(true);
});

it("ends every pause soon after the server has recovered, and not those that begin later", async () => {
  const { recovery, state } = start();
  const other = start(recovery);
  recovery.recovered();
  const later = start(recovery);
  await vi.advanceTimersByTimeAsync(100);
  expect([state.isOver, other.state.isOver, later.state.isOver]).toEqual([true, true, false]);
});

it("pauses shortly after a failure that the recovery has overtaken", async () => {
  const recovery = createRecovery();
  const begun = recovery.count;
  recovery.recovered();
  const { state } = start(recovery, begun);
  await vi.advanceTimersByTimeAsync(100);
  expect(state.isOver).toBe(true);
});

it("ends at once when it is stopped, before or meanwhile", async () => {
  const { state, stopping } = start();
  stopping.abort();
  const stopped = start(createRecovery(), 0, stopping);
  await vi.advanceTimersByTimeAsync(0);
  expect([state.isOver, stopped.state.isOver]).toEqual([true, true]);
  expect(vi.getTimerCount()).toBe(0);
});
