/** `turnpike replay DIR`: rebuilds everything from the event log and compares it with the recorded derivations. */
import { Command, InvalidArgumentError } from "commander";
import { createReplayer, replay, type ReplayResult } from "../core/replay.ts";
import { TurnpikeError } from "../errors.ts";
import { digest } from "../journal/digest.ts";
import type { JournalLine } from "../journal/fact.ts";
import { readJournal } from "../journal/reader.ts";
import type { Beginning } from "../journal/segment.ts";
import { describeDivergence } from "./divergence.ts";
import { compareLogs, describeLogDifference, isSame } from "./replay-diff.ts";
import { describeStateAt, stateAt } from "./replay-state.ts";
import { watchReplay } from "./replay-watch.ts";

interface ReplayOptions {
  readonly fromSnapshot?: boolean;
  readonly until?: number;
  readonly diff?: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

const parseSeq = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("expected a sequence number");
  return Number(text);
};

const read = (path: string, from: Beginning | undefined): Iterable<JournalLine> =>
  readJournal(path, {
    onTorn: (file, bytes) =>
      void process.stderr.write(`turnpike: the last line of ${file} is torn; ${bytes} bytes left out\n`),
    ...(from && { from }),
  });

const summary = ({ facts, transitions }: ReplayResult): string => `replayed ${facts} facts, ${transitions} transitions`;

const describeResult = (result: ReplayResult): string => {
  const { outputs, runs, divergence } = result;
  return divergence === undefined
    ? `${summary(result)}: identical\n  ${outputs} outputs compared, ${runs} run${runs === 1 ? "" : "s"}\n`
    : `${summary(result)}: they differ at line ${divergence.seq}\n${describeDivergence(divergence)}`;
};

const write = (text: string): void => void process.stdout.write(text);
const writeJson = (value: unknown): void => write(`${JSON.stringify(value, null, 2)}\n`);

const compare = (path: string, { fromSnapshot = false, json = false }: ReplayOptions): void => {
  const result = replay(read(path, fromSnapshot ? { atSnapshot: true } : undefined), digest);
  const { facts, transitions, outputs, runs, divergence } = result;
  if (json) writeJson({ identical: divergence === undefined, facts, transitions, outputs, runs, divergence });
  else write(describeResult(result));
  if (divergence !== undefined) process.exitCode = 1;
};

const until = (path: string, seq: number, { fromSnapshot = false, json = false }: ReplayOptions): void => {
  const replayer = createReplayer(digest);
  for (const line of read(path, fromSnapshot ? { seq, atSnapshot: true } : undefined))
    if (line.seq > seq || replayer.take(line) !== undefined) break;
  if (replayer.divergence !== undefined) {
    write(describeResult(replayer));
    process.exitCode = 1;
    return;
  }
  const state = stateAt(replayer);
  if (state === undefined)
    throw new TurnpikeError("nothing-known", `the log in ${path} begins nothing up to line ${seq}`);
  if (json) writeJson(state);
  else write(describeStateAt(state));
};

const diff = (path: string, other: string, { fromSnapshot = false, json = false }: ReplayOptions): void => {
  const from = fromSnapshot ? { atSnapshot: true } : undefined;
  const difference = compareLogs(read(path, from), read(other, from));
  if (json) writeJson(difference);
  else write(describeLogDifference(difference));
  if (!isSame(difference)) process.exitCode = 1;
};

const watch = async (path: string, { fromSnapshot = false }: ReplayOptions): Promise<void> => {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort()).once("SIGTERM", () => stop.abort());
  const divergence = await watchReplay(path, {
    ...(fromSnapshot && { from: { atSnapshot: true } }),
    signal: stop.signal,
    write,
    onCaughtUp: (result) => write(`${summary(result)}: identical; following\n`),
  });
  if (divergence === undefined) return;
  write(`they differ at line ${divergence.seq}\n${describeDivergence(divergence)}`);
  process.exitCode = 1;
};

const refuse = (names: readonly string[]): void => {
  if (names.length > 1) throw new TurnpikeError("usage", `${names.join(" and ")} do not go together`);
};

export const replayCommand = (): Command =>
  new Command("replay")
    .description(
      "replay the event log; exits 0 if every transition and output is as recorded, 1 at the first that differs",
    )
    .argument("<dir>", "folder of the log, or one file of it")
    .option("--from-snapshot", "begin at the newest snapshot: the latest state in seconds, however long the log is")
    .option("--until <seq>", "stop behind this line and print where everything stood", parseSeq)
    .option("--diff <dir>", "compare with another log: where they part, and what they lead to; exits 1 if they differ")
    .option("--watch", "follow a log that is being written; ends at Ctrl-C, or with 1 at the first line that differs")
    .option("--json", "print JSON")
    .action(async (path: string, options: ReplayOptions) => {
      refuse([
        ...(options.until === undefined ? [] : ["--until"]),
        ...(options.diff === undefined ? [] : ["--diff"]),
        ...(options.watch === true ? ["--watch"] : []),
      ]);
      if (options.watch === true) {
        refuse(["--watch", ...(options.json === true ? ["--json"] : [])]);
        await watch(path, options);
      } else if (options.until !== undefined) until(path, options.until, options);
      else if (options.diff !== undefined) diff(path, options.diff, options);
      else compare(path, options);
    });
