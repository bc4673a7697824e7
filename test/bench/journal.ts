/**
 * `npm run bench:journal`: how fast facts are written down, how fast they are replayed, and how long it takes until the
 * latest state of a log of a million lines is known. Each round is a process of its own; prints the median and the spread.
 */
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { openJournal } from "../../src/journal/writer.ts";
import { record } from "../support/record-log.ts";
import { sliceOf, turnOf, type World } from "../support/world-of-turns.ts";

const WORLD: World = { gateways: 100, endpointsPerGateway: 10 };
const ROUNDS = 5;
const APPENDED_TURNS = 20_000;
const REPLAYED_LINES = 200_000;
const RECOVERED_LINES = 1_000_000;

type Measure = "append" | "replay" | "recover";

const inFolder = async <T>(work: (folder: string) => T | Promise<T>): Promise<T> => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-bench-journal-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** Facts and derivations per second, as the loop writes them: a flush for each turn. */
const measureAppend = (): Promise<readonly number[]> =>
  inFolder((folder) => {
    const turns = Array.from({ length: 1000 }, (_, n) => turnOf(WORLD, n));
    const journal = openJournal(folder, { segmentBytes: Number.MAX_SAFE_INTEGER });
    let facts = 0;
    const startedAt = performance.now();
    for (let n = 0; n < APPENDED_TURNS; n += 1) {
      for (const fact of turns[n % turns.length] ?? []) {
        journal.append(fact, "relay", null);
        facts += 1;
      }
      journal.flush();
    }
    const factSeconds = (performance.now() - startedAt) / 1000;

    let derivations = 0;
    const derivedAt = performance.now();
    for (let n = 0; n < APPENDED_TURNS; n += 1) {
      for (let i = 0; i < 20; i += 1) {
        const entity = `ns/media-${n % 100}#10.0.0.${i}`;
        const data = { machine: "endpoint", entity, from: "active", event: "unlisted", to: "gone" } as const;
        journal.derive({ type: "transition", data }, journal.lastSeq, 1_700_000_000_000 + n);
        derivations += 1;
      }
      journal.flush();
    }
    const derivedSeconds = (performance.now() - derivedAt) / 1000;
    journal.close();
    return [facts / factSeconds, derivations / derivedSeconds];
  });

const measureReplay = (folder: string): readonly number[] => {
  const startedAt = performance.now();
  const { facts, transitions, outputs, divergence } = replay(readJournal(folder), digest);
  const seconds = (performance.now() - startedAt) / 1000;
  if (divergence !== undefined) throw new Error(`the log does not replay: ${JSON.stringify(divergence)}`);
  return [facts / seconds, (facts + transitions + outputs) / seconds];
};

/** Seconds until the log can be written on, and until a core knows all that it says. */
const measureRecovery = (folder: string): readonly number[] => {
  const startedAt = performance.now();
  const journal = openJournal(folder);
  const opened = performance.now();
  const { core, divergence } = replay(readJournal(folder, { from: { atSnapshot: true } }), digest);
  const done = performance.now();
  if (divergence !== undefined || core?.registry.state("operator", "operator") !== "leading")
    throw new Error("the state is not what was recorded");
  const { lastSeq } = journal;
  journal.close();
  return [(opened - startedAt) / 1000, (done - startedAt) / 1000, lastSeq];
};

const measures: Readonly<Record<Measure, (folder: string) => readonly number[] | Promise<readonly number[]>>> = {
  append: measureAppend,
  replay: measureReplay,
  recover: measureRecovery,
};

const inChild = (measure: Measure, folder: string): Promise<readonly number[]> =>
  new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [measure, folder]);
    child.once("message", (message) => resolve(message as readonly number[]));
    child.once("exit", (code) => (code === 0 ? undefined : reject(new Error(`a round ended with exit code ${code}`))));
  });

const show = (value: number): string => (value < 100 ? value.toFixed(2) : Math.round(value).toLocaleString("en-US"));

const line = (what: string, values: readonly number[], unit: string, aim = ""): void => {
  const sorted = values.toSorted((a, b) => a - b);
  const [median, least, most] = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)].map((one) => show(one ?? NaN));
  console.log(`${what.padEnd(52)} ${median} ${unit} (${least} to ${most})${aim === "" ? "" : `   aim: ${aim}`}`);
};

const rounds = async (measure: Measure, folder: string): Promise<readonly (readonly number[])[]> => {
  const results: (readonly number[])[] = [];
  for (let round = 0; round < ROUNDS; round += 1) results.push(await inChild(measure, folder));
  return results;
};

const column = (results: readonly (readonly number[])[], index: number): readonly number[] =>
  results.map((result) => result[index] ?? NaN);

const main = async (): Promise<void> => {
  console.log(`${WORLD.gateways} gateways, ${ROUNDS} rounds; Node ${process.version}`);
  const appended = await rounds("append", "");
  line("facts appended and flushed", column(appended, 0), "/s", "over 100,000 /s");
  line("derivations appended and flushed", column(appended, 1), "/s");
  await inFolder(async (folder) => {
    await record(folder, WORLD, REPLAYED_LINES);
    const replayed = await rounds("replay", folder);
    line("facts replayed, every conclusion compared", column(replayed, 0), "/s", "over 20,000 /s");
    line("lines replayed", column(replayed, 1), "/s");
  });
  await inFolder(async (folder) => {
    await record(folder, WORLD, REPLAYED_LINES, (turn) => [
      sliceOf(WORLD, turn % WORLD.gateways, Math.floor(turn / WORLD.gateways) + 1),
    ]);
    const replayed = await rounds("replay", folder);
    line("the same where nothing but endpoints changes", column(replayed, 0), "/s");
    line("lines replayed of these", column(replayed, 1), "/s");
  });
  await inFolder(async (folder) => {
    await record(folder, WORLD, RECOVERED_LINES);
    const recovered = await rounds("recover", folder);
    const lines = show(column(recovered, 2)[0] ?? NaN);
    line(`a log of ${lines} lines opened for writing`, column(recovered, 0), "s");
    line("… and its latest state known", column(recovered, 1), "s", "under 5 s");
  });
};

const [measure, folder = ""] = process.argv.slice(2);
if (measure === undefined) await main();
else process.send?.(await measures[measure as Measure](folder));
