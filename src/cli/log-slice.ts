/**
 * `turnpike log slice LOG`: a part of a log that replays without the rest, as small and as anonymous as a bug report needs.
 */
import { createHmac, randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { replay } from "../core/replay.ts";
import { TurnpikeError } from "../errors.ts";
import { digest } from "../journal/digest.ts";
import { readJournal } from "../journal/reader.ts";
import { cutSlice } from "../slices/cut.ts";
import { pseudonymise } from "../slices/pseudonymise.ts";

interface SliceOptions {
  readonly from?: number;
  readonly to?: number;
  readonly output?: string;
  readonly pseudonymise?: boolean;
  readonly force?: boolean;
}

const parseSeq = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("expected a sequence number");
  return Number(text);
};

const say = (text: string): void => void process.stderr.write(`turnpike: ${text}\n`);

export const logSliceCommand = (): Command =>
  new Command("slice")
    .description("cut a piece out of a log that replays by itself: a snapshot of what was before, then the lines")
    .argument("<log>", "folder of the log, or one file of it")
    .option("--from <seq>", "first line (default: the first of the log)", parseSeq)
    .option("--to <seq>", "last line (default: the last of the log)", parseSeq)
    .option("-o, --output <file>", "where to write it (default: standard output)")
    .option("--pseudonymise", "put other names, addresses, users, labels and texts in the place of all that are in it")
    .option("--force", "overwrite the file")
    .action((path: string, { from, to, output, pseudonymise: hide = false, force = false }: SliceOptions) => {
      if (output !== undefined && existsSync(output) && !force)
        throw new TurnpikeError("file-exists", `${output} is there already`);
      const beginning = from === undefined ? {} : { from: { seq: Math.max(from - 1, 0), atSnapshot: true } };
      const range = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
      const slice = cutSlice(() => readJournal(path, beginning), range, digest);
      if (from !== undefined && slice.begins < from)
        say(`line ${from} stands amid what was concluded at once; the slice begins at line ${slice.begins}`);
      if (slice.divergesAt !== undefined && hide)
        throw new TurnpikeError("journal-differs", `the log does not replay at line ${slice.divergesAt}`);
      if (slice.divergesAt !== undefined)
        say(`the log does not replay at line ${slice.divergesAt}; nor does the slice`);
      // A key that is not stored: addresses cannot be recovered by trying them all.
      const key = randomBytes(32);
      const coin = (prefix: string): boolean => ((createHmac("sha256", key).update(prefix).digest()[0] ?? 0) & 1) === 1;
      const lines = hide ? pseudonymise(slice.lines, coin, digest) : slice.lines;
      const { divergence } = replay(lines, digest);
      if (divergence !== undefined && slice.divergesAt === undefined)
        throw new TurnpikeError("journal-differs", `the slice does not replay at line ${divergence.seq}`);
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
      if (output === undefined) process.stdout.write(text);
      else writeFileSync(output, text, { mode: 0o600 });
    });
