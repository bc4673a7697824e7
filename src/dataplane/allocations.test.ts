import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { monotonicMs } from "../clock.ts";
import { parseIp } from "../net/ip.ts";
import { testOptions, testScope } from "../../test/support/allocation.ts";
import { Allocations } from "./allocations.ts";
import { noTraffic, type Traffic } from "./flows.ts";
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

it("reports the usage of each allocation at its own times, and when it ends", () => {
  const events: RelayEvent[] = [];
  const closed: [string, Traffic][] = [];
  const scope = testScope({ countClosed: (cluster, traffic) => void closed.push([cluster, { ...traffic }]) });
  const allocations = new Allocations({
    maxAllocations: 10,
    usageSeconds: 60,
    events: { next: (event) => void events.push(event) },
  });
  const sweep = setInterval(() => allocations.expire(monotonicMs()), sweepMilliseconds);
  const now = monotonicMs();
  const allocation = allocations.open(scope, testOptions({ now, expiresAt: now + 150_000 }));
  const reports = () =>
    events.flatMap((event) =>
      event.event === "allocation.used" || event.event === "allocation.closed" ? [[event.report, event.routes]] : [],
    );
  const media = (bytes: number): void => {
    for (const traffic of [allocation.flow.traffic, allocation.usage.of("ns/route")]) {
      traffic.packetsIn += 1;
      traffic.bytesIn += bytes;
    }
  };
  const used = (bytesIn: number) => [{ route: "ns/route", ...noTraffic(), packetsIn: 1, bytesIn }];
  media(10);
  vi.advanceTimersByTime(59_000);
  expect(reports()).toEqual([]);
  vi.advanceTimersByTime(4_000);
  expect(reports()).toEqual([[1, used(10)]]);
  media(20);
  vi.advanceTimersByTime(63_000);
  expect(reports()).toEqual([
    [1, used(10)],
    [2, used(20)],
  ]);
  media(30);
  vi.advanceTimersByTime(60_000);
  expect(reports().at(-1)).toEqual([3, used(30)]);
  expect(events.at(-1)).toMatchObject({ event: "allocation.closed", reason: "expired", bytesIn: 60, packetsIn: 3 });
  expect(closed).toEqual([["ns/route", { ...noTraffic(), bytesIn: 60, packetsIn: 3 }]]);
  clearInterval(sweep);
});
