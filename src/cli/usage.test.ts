import { expect, it } from "vitest";
import type { Fact, JournalLine } from "../journal/fact.ts";
import type { Name } from "../resources/keys.ts";
import { usageOf } from "./usage.ts";

const traffic = (bytesIn: number) => ({ bytesIn, bytesOut: 2 * bytesIn, packetsIn: 1, packetsOut: 2 });
const summary = (id: number, user: string) => ({
  gateway: "ns/gw" as Name,
  listener: "ns/gw/udp",
  id,
  user,
  client: "192.0.2.1:5000",
  relayed: "192.0.2.2:6000",
});
const lines = (...facts: readonly Fact[]): readonly JournalLine[] =>
  facts.map((fact, index) => ({ v: 1, seq: index + 1, time: index + 1, source: "relay", cause: null, ...fact }));

const log = lines(
  {
    type: "allocation.used",
    data: { ...summary(1, "a"), ...traffic(5), openedAt: 7, report: 1, routes: [{ route: "ns/r", ...traffic(5) }] },
  },
  {
    type: "allocation.closed",
    data: {
      ...summary(1, "a"),
      ...traffic(12),
      reason: "expired",
      openedAt: 7,
      report: 2,
      routes: [
        { route: "ns/r", ...traffic(3) },
        { route: "ns/other", ...traffic(4) },
      ],
    },
  },
  {
    type: "allocation.closed",
    data: { ...summary(2, "b"), ...traffic(100), reason: "as an earlier release wrote it" },
  },
  {
    type: "allocation.closed",
    data: { ...summary(3, "c"), ...traffic(0), reason: "expired", openedAt: 8, report: 1, routes: [] },
  },
);

it("adds up what each user relayed, and counts calls once", () => {
  expect(usageOf(log, ["user"])).toMatchObject([
    { group: { user: "b" }, calls: 1, bytesIn: 100 },
    { group: { user: "a" }, calls: 1, bytesIn: 12, bytesOut: 24, packetsIn: 3, packetsOut: 6 },
    { group: { user: "c" }, calls: 1, bytesIn: 0 },
  ]);
});

it("adds up by route, and by route and user", () => {
  expect(usageOf(log, ["route"]).map(({ group, bytesIn }) => [group.route, bytesIn])).toEqual([
    ["-", 100],
    ["ns/r", 8],
    ["ns/other", 4],
  ]);
  expect(usageOf(log, ["user", "route"]).map(({ group }) => group)).toEqual([
    { user: "b", route: "-" },
    { user: "a", route: "ns/r" },
    { user: "a", route: "ns/other" },
  ]);
});

it("leaves out what was reported before and after", () => {
  expect(usageOf(log, ["user"], 2, 2)).toMatchObject([{ group: { user: "a" }, bytesIn: 7 }]);
});
