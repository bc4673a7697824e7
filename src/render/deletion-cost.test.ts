import { describe, expect, it } from "vitest";
import { changesDeletionCost, deletionCost } from "./deletion-cost.ts";

describe("a deletion cost", () => {
  it("is the number of allocations, within 32 bits", () => {
    expect([0, 1, 300, 2 ** 31, 2 ** 40].map(deletionCost)).toEqual([0, 1, 300, 2 ** 31 - 1, 2 ** 31 - 1]);
  });

  it.each([
    [0, 0, false],
    [0, 1, true],
    [1, 0, true],
    [1, 2, false],
    [1, 3, true],
    [10, 11, false],
    [10, 12, true],
    [20, 23, false],
    [20, 24, true],
    [300, 359, false],
    [300, 360, true],
    [300, 241, false],
    [300, 240, true],
    [300, 0, true],
  ])("is recorded when it changes from %i to %i: %s", (before, now, isRecorded) => {
    expect(changesDeletionCost(before, now)).toBe(isRecorded);
  });
});
