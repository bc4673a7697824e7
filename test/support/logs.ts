/** Collects the logs of every live gateway of a test run, and replays them all at its end: whole, and cut off anywhere. */
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { readJournal } from "../../src/journal/reader.ts";

const FOLDER = "TURNPIKE_TEST_LOGS";
/** Bytes at which the newest segment of each log is cut off. */
const CUTS_PER_LOG = 40;

/** Keeps a log for the end of the run. */
export const keepLog = (journal: string): void => {
  const folder = process.env[FOLDER];
  if (folder !== undefined) cpSync(journal, mkdtempSync(join(folder, "log-")), { recursive: true });
};

const replayAll = (folder: string): void => {
  const totals = { logs: 0, facts: 0, transitions: 0, cuts: 0 };
  for (const log of readdirSync(folder)) {
    const path = join(folder, log);
    const { facts, transitions, divergence } = replay(readJournal(path), digest);
    if (divergence !== undefined) throw new Error(`${log} does not replay: ${JSON.stringify(divergence)}`);
    totals.logs += 1;
    totals.facts += facts;
    totals.transitions += transitions;

    const newest = readdirSync(path).toSorted().at(-1);
    if (newest === undefined) continue;
    const bytes = readFileSync(join(path, newest));
    for (let cut = 1; cut <= CUTS_PER_LOG; cut += 1) {
      // Primes, so that cuts fall anywhere in a line.
      const at = (cut * 7919 * 104_729) % bytes.length;
      const torn = join(folder, "torn.jsonl");
      writeFileSync(torn, bytes.subarray(0, at));
      const result = replay(readJournal(torn), digest);
      rmSync(torn);
      if (result.divergence !== undefined) throw new Error(`${basename(path)} cut off at byte ${at} does not replay`);
      totals.cuts += 1;
    }
  }
  console.log(
    `\nthe logs of the whole run: replayed ${totals.facts} facts, ${totals.transitions} transitions of ${totals.logs} logs: identical; so too cut off at ${totals.cuts} bytes`,
  );
};

/** Vitest's global setup; what it returns runs after the last test. */
export const setup = (): (() => void) => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-logs-"));
  process.env[FOLDER] = folder;
  return () => {
    try {
      replayAll(folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
};
