import { expect, it } from "vitest";
import type { Fact } from "../journal/fact.ts";
import { createFactTally } from "./fact-tally.ts";

it("counts what facts tell, and forgets what is over", () => {
  const tally = createFactTally();
  const note = (...facts: readonly Fact[]): void => {
    for (const [seq, fact] of facts.entries())
      tally.note({ v: 1, seq, time: 7000, source: "test", cause: null, ...fact });
  };
  const rejection = { code: "manifest-schema", file: "f", line: 1, object: "", field: "", reason: "r" };
  expect(tally.isWatching).toBe(false);
  note(
    { type: "objects.synced", data: { objects: 1 } },
    { type: "effect.failed", data: { effect: "write", target: "t", reason: "r" } },
    { type: "effect.failed", data: { effect: "write", target: "u", reason: "r" } },
    { type: "object.rejected", data: rejection },
    { type: "worker.lost", data: { worker: 1, reason: "r", allocations: 0 } },
    { type: "gateway.published", data: { gateway: "ns/gw" as never, admitted: 0, drained: 0, revoked: 0 } },
  );
  expect(tally).toMatchObject({
    isWatching: true,
    watchesLost: 0,
    failures: { write: 2 },
    rejections: { "manifest-schema": 1 },
    standing: { "manifest-schema": 1 },
    workersLost: 1,
    published: new Map([["ns/gw", 7000]]),
  });
  note(
    { type: "watch.lost", data: { reason: "r" } },
    { type: "object.corrected", data: rejection },
    { type: "gateway.removed", data: { gateway: "ns/gw" as never, allocations: 0 } },
  );
  expect(tally).toMatchObject({ isWatching: false, watchesLost: 1, standing: {}, published: new Map() });
  expect(tally.rejections).toEqual({ "manifest-schema": 1 });
  note({ type: "watch.restored", data: {} });
  expect(tally.isWatching).toBe(true);
});
