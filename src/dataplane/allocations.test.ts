import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { monotonicMs } from "../clock.ts";
import { parseIp } from "../net/ip.ts";
import { testOptions, testScope } from "../../test/support/allocation.ts";
import { Allocations } from "./allocations.ts";
import { sweepMilliseconds } from "./limits.ts";
import type { RelayEvent } from "./relay.ts";

const peer = parseIp("10.0.0.1")!;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "performance"] }));
afterEach(() => void vi.useRealTimers());

it("ends permissions, channels and allocations when they are over, not at the next sweep", () => {
  const events: RelayEvent[] = [];
  const allocations = new Allocations({ maxAllocations: 10, events: { next: (event) => void events.push(event) } });
  const started = monotonicMs();
  const allocation = allocations.open(testScope(), testOptions({ now: started, expiresAt: started + 700_400 }));
  const sweep = setInterval(() => allocations.expire(monotonicMs()), sweepMilliseconds);
  // Halfway between two sweeps.
  vi.advanceTimersByTime(500);
  allocation.bind(0x4000, peer, 9, monotonicMs());
  const elapse = (milliseconds: number): readonly [permissions: number, channels: number, closed: number] => {
    vi.advanceTimersByTime(milliseconds);
    return [
      allocation.permissions.size,
      allocation.channels.size,
      events.filter(({ event }) => event === "allocation.closed").length,
    ];
  };
  expect(elapse(299_999)).toEqual([1, 1, 0]);
  expect(elapse(5)).toEqual([0, 1, 0]);
  expect(elapse(600_000 - 300_004 - 1)).toEqual([0, 1, 0]);
  expect(elapse(5)).toEqual([0, 0, 0]);
  expect(elapse(700_400 - 500 - 600_004 - 1)).toEqual([0, 0, 0]);
  expect(elapse(5)).toEqual([0, 0, 1]);
  clearInterval(sweep);
});
