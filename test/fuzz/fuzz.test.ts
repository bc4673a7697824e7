import fc from "fast-check";
import { describe, it } from "vitest";
import { fuzzTargets, propertyOf } from "./targets.ts";

/** `npm run fuzz -- --minutes N` runs them longer. */
describe("for any bytes", () => {
  it.each(fuzzTargets)("$name", (target) => {
    fc.assert(propertyOf(target), { numRuns: 1000 });
  });
});
