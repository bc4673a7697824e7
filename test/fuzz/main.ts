/** Fuzzing for as long as one likes: `npm run fuzz -- --minutes N`. Ends with 1 and the smallest bytes that break something. */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { fuzzTargets } from "./targets.ts";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "1" } } });
const eachMs = (Number(values.minutes) * 60_000) / fuzzTargets.length;
if (!(eachMs > 0)) throw new Error("--minutes: expected a number above 0");

for (const { name, property } of fuzzTargets) {
  const details = fc.check(property() as fc.IProperty<unknown>, {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: eachMs,
    markInterruptAsFailure: false,
  });
  console.log(`${name}: ${details.numRuns} runs, ${details.failed ? "BROKEN" : "held"}`);
  if (!details.failed) continue;
  console.log(fc.defaultReportMessage(details));
  process.exitCode = 1;
}
