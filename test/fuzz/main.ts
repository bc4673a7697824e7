/**
 * Fuzzing for as long as one likes. Ends with 1 and the bytes that break something.
 *
 *     npm run fuzz -- [--minutes N] [--by property|coverage|both] [--target WORDS]
 *
 * `property` draws inputs at random and makes those that break something small; `coverage` goes on from inputs that reached
 * code which no other had reached.
 */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { countIn, Coverage } from "./coverage.ts";
import { mutate } from "./mutate.ts";
import type { FuzzTarget } from "./targets.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    by: { type: "string", default: "both" },
    target: { type: "string", default: "" },
    seed: { type: "string", default: String(Date.now() % 2 ** 32) },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error("--minutes: expected a number above 0");
if (!["property", "coverage", "both"].includes(values.by)) throw new Error("--by: expected property, coverage or both");

const byProperty = ({ propertyOf }: typeof import("./targets.ts"), target: FuzzTarget, eachMs: number): void => {
  const details = fc.check(propertyOf(target), {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: eachMs,
    markInterruptAsFailure: false,
  });
  console.log(`${target.name}: by property, ${details.numRuns} runs, ${details.failed ? "BROKEN" : "held"}`);
  if (!details.failed) return;
  console.log(fc.defaultReportMessage(details));
  process.exitCode = 1;
};

const byCoverage = (target: FuzzTarget, eachMs: number, random: () => number): void => {
  const coverage = new Coverage();
  const attempt = target.prepare();
  const corpus: Buffer[] = [];
  let runs = 0;
  const pick = (): Buffer => corpus[Math.floor(random() * corpus.length)] ?? Buffer.alloc(0);
  /** False where it breaks. */
  const run = (bytes: Buffer): boolean => {
    runs++;
    coverage.reset();
    try {
      attempt(Buffer.from(bytes));
    } catch (error) {
      console.log(`${target.name}: BROKEN after ${runs} runs by ${bytes.toString("hex")}\n${String(error)}`);
      process.exitCode = 1;
      return false;
    }
    if (coverage.isNew()) corpus.push(Buffer.from(bytes));
    return true;
  };
  for (const seed of target.seeds) if (!run(seed)) return;
  const until = performance.now() + eachMs;
  while (performance.now() < until) if (!run(mutate(pick(), pick(), random))) return;
  console.log(
    `${target.name}: by coverage, ${runs} runs from seed ${values.seed}, ${corpus.length} inputs kept, ` +
      `${coverage.reached} of ${coverage.counters} counters reached, held`,
  );
};

if (values.by !== "property")
  countIn((url) => /\/src\/dataplane\/(stun|listeners|openssl)\/|\/node_modules\/(stun|binary-data)\/src\//.test(url));
// Only now: modules that are loaded before have no counters.
const { randomFrom } = await import("../support/malformed.ts");
const targets = await import("./targets.ts");
const chosen = targets.fuzzTargets.filter(({ name }) => name.includes(values.target));
const ways = values.by === "both" ? 2 : 1;
const eachMs = (minutes * 60_000) / chosen.length / ways;
for (const target of chosen) {
  if (values.by !== "coverage") byProperty(targets, target, eachMs);
  if (values.by !== "property") byCoverage(target, eachMs, randomFrom(Number(values.seed)));
}
