/** `stunnerd` as its pod would run it: a process of its own, by that name, with its flags and environment. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { replay, type ReplayResult } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import type { JournalLine } from "../../src/journal/fact.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { keepLog } from "./logs.ts";

export const STUNNERD = fileURLToPath(new URL("../../bin/stunnerd", import.meta.url));

export interface DataplaneProcess {
  readonly child: ChildProcess;
  readonly journal: string;
  /** What it has printed. */
  readonly output: string;
  lines(): readonly JournalLine[];
  /** Resolves to the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** Ends it if it still runs, checks that its log replays, and removes its folder. */
  clean(): Promise<void>;
}

/** @param folder where it runs, and keeps its log; a temporary one unless given, which `clean` removes. */
export const startStunnerd = (
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  folder = mkdtempSync(join(tmpdir(), "turnpike-dataplane-")),
): DataplaneProcess => {
  const child = spawn(STUNNERD, args, {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  const ended = new Promise<number | string>((resolve) =>
    child.once("exit", (code, signal) => resolve(signal ?? code ?? 0)),
  );
  const journal = join(folder, ".turnpike/dataplane");
  return {
    child,
    journal,
    get output() {
      return output;
    },
    lines: () => [...readJournal(journal)],
    ended,
    async clean() {
      child.kill("SIGKILL");
      await ended;
      const { divergence, runs }: ReplayResult = replay(readJournal(journal), digest);
      expect(divergence).toBeUndefined();
      expect(runs).toBeGreaterThan(0);
      keepLog(journal);
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
