/** `turnpike replay DIR`: rebuilds everything from the event log and compares it with what was recorded. */
import { Command } from "commander";
import { replay } from "../core/replay.ts";
import { digest } from "../journal/digest.ts";
import { readJournal } from "../journal/reader.ts";
import { sentence } from "../journal/sentence.ts";

interface ReplayOptions {
  readonly fromSnapshot?: boolean;
}

export const replayCommand = (): Command =>
  new Command("replay")
    .description(
      "replay the event log; exits 0 if every transition and output is as recorded, 1 at the first that differs",
    )
    .argument("<dir>", "folder of the log, or one file of it")
    .option("--from-snapshot", "begin at the newest snapshot: the latest state in seconds, however long the log is")
    .action((folder: string, { fromSnapshot = false }: ReplayOptions) => {
      const onTorn = (file: string, bytes: number): void =>
        void process.stderr.write(`turnpike: the last line of ${file} is torn; ${bytes} bytes left out\n`);
      const { facts, transitions, outputs, runs, divergence } = replay(
        readJournal(folder, { onTorn, ...(fromSnapshot && { from: { atSnapshot: true } }) }),
        digest,
      );
      if (divergence === undefined) {
        process.stdout.write(`replayed ${facts} facts, ${transitions} transitions: identical\n`);
        process.stdout.write(`  ${outputs} outputs compared, ${runs} run${runs === 1 ? "" : "s"}\n`);
        return;
      }
      process.stdout.write(
        `replayed ${facts} facts, ${transitions} transitions: they differ at line ${divergence.seq}\n`,
      );
      process.stdout.write(`  recorded: ${divergence.recorded}\n  replayed: ${divergence.replayed}\n  because of:\n`);
      for (const fact of divergence.causes)
        process.stdout.write(
          `  ${String(fact.seq).padStart(7)}  ${new Date(fact.time).toISOString()}  ${sentence(fact)}\n`,
        );
      process.exitCode = 1;
    });
