/**
 * Fuzzing for as long as one likes. Ends with 1 and the bytes that break something.
 *
 *     npm run fuzz -- [--minutes N] [--by property|coverage|both] [--target WORDS] [--seed N]
 *     npm run fuzz -- --messages N [--seed N]
 *
 * `property` draws inputs at random and makes those that break something small; `coverage` goes on from inputs that reached
 * code which no other had reached. `--messages` compares the relay's STUN codec with that of the `stun` package on so many
 * generated messages, and nothing else.
 */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { countIn, Coverage, ensureCounted } from "./coverage.ts";
import { mutate } from "./mutate.ts";
import type { FuzzTarget } from "./targets.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    by: { type: "string", default: "both" },
    target: { type: "string", default: "" },
    messages: { type: "string" },
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

/** Folders whose code is counted. */
const COUNTED = [
  "/src/stun/",
  "/src/turn-client/",
  "/src/dataplane/listeners/",
  "/src/dataplane/openssl/",
  "/node_modules/stun/src/",
  "/node_modules/binary-data/src/",
] as const;

/** @throws at the first message that the codecs disagree about. */
const byComparison = async (messages: number, random: () => number): Promise<void> => {
  const { compareOnce } = await import("./codecs.ts");
  const { decode } = await import("../../src/stun/reader.ts");
  const verdicts = new Map<string, number>();
  const began = performance.now();
  for (let count = 0; count < messages; count++) {
    const { bytes, difference } = compareOnce(random);
    if (difference !== undefined)
      throw new Error(`message ${count} from seed ${values.seed}: ${difference}\n${bytes.toString("hex")}`);
    const decoded = decode(bytes);
    const verdict = decoded.kind === "message" ? "read" : decoded.code;
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(`${messages} messages from seed ${values.seed} in ${seconds.toFixed(0)} s: the codecs agree`);
  for (const [verdict, count] of [...verdicts].toSorted(([, a], [, b]) => b - a)) console.log(`${count}\t${verdict}`);
};

if (values.messages === undefined && values.by !== "property")
  countIn((url) => COUNTED.some((folder) => url.includes(folder)));
// Only now: modules that are loaded before have no counters.
const { randomFrom } = await import("../support/malformed.ts");
const targets = await import("./targets.ts");
if (values.messages !== undefined) {
  const messages = Number(values.messages);
  if (!(messages > 0)) throw new Error("--messages: expected a number above 0");
  await byComparison(messages, randomFrom(Number(values.seed)));
  process.exit();
}
if (values.by !== "property") ensureCounted(COUNTED);
const chosen = targets.fuzzTargets.filter(({ name }) => name.includes(values.target));
const ways = values.by === "both" ? 2 : 1;
const eachMs = (minutes * 60_000) / chosen.length / ways;
for (const target of chosen) {
  if (values.by !== "coverage") byProperty(targets, target, eachMs);
  if (values.by !== "property") byCoverage(target, eachMs, randomFrom(Number(values.seed)));
}
