import fc from "fast-check";
import { describe, it } from "vitest";
import { fuzzTargets } from "./targets.ts";

/** `npm run fuzz -- --minutes N` runs them longer. */
describe("for any bytes", () => {
  it.each(fuzzTargets)("$name", ({ property }) => {
    fc.assert(property() as fc.IProperty<unknown>, { numRuns: 1000 });
  });
});
