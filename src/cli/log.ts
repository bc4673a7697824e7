/** `turnpike log DIR`: what happened, from the event log. */
import { Command, InvalidArgumentError, Option } from "commander";
import type { JournalLine } from "../journal/fact.ts";
import { readJournal } from "../journal/reader.ts";
import { sentence } from "../journal/sentence.ts";
import { logSliceCommand } from "./log-slice.ts";

interface LogOptions {
  readonly object?: string;
  readonly type?: readonly string[];
  readonly since?: number;
  readonly until?: number;
  readonly cause?: number;
  readonly json?: boolean;
}

const MINUTE_MS = 60_000;
const AGES: Readonly<Record<string, number>> = { s: 1000, m: MINUTE_MS, h: 60 * MINUTE_MS, d: 24 * 60 * MINUTE_MS };

/** `2026-11-22T03:12:00Z`, `03:12` (today), or an age such as `10m`; in ms since 1970. */
export const parseTime = (text: string, now = Date.now()): number => {
  const age = /^(\d+)([smhd])$/.exec(text);
  if (age !== null) return now - Number(age[1]) * (AGES[age[2] ?? ""] ?? 0);
  const clock = /^\d{1,2}:\d{2}(:\d{2})?$/.test(text)
    ? `${new Date(now).toISOString().slice(0, 10)}T${text.padStart(text.length === 4 ? 5 : text.length, "0")}Z`
    : text;
  const time = Date.parse(clock);
  if (Number.isNaN(time))
    throw new InvalidArgumentError("expected a time (2026-11-22T03:12:00Z, 03:12) or an age (10m, 2h)");
  return time;
};

export const sinceOption = (): Option =>
  new Option("--since <time>", "from this time on (2026-11-22T03:12:00Z, 03:12 UTC) or age (10m)").argParser((text) =>
    parseTime(text),
  );
export const untilOption = (): Option =>
  new Option("--until <time>", "up to this time or age").argParser((text) => parseTime(text));

export const reportTorn = (file: string, bytes: number): void =>
  void process.stderr.write(`turnpike: the last line of ${file} is torn; ${bytes} bytes left out\n`);

const parseSeq = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("expected a sequence number");
  return Number(text);
};

const collect = (type: string, before: readonly string[] = []): readonly string[] => [...before, type];

/** `terminating` matches the beginning of a type, so `object` finds `object.seen` and `object.gone`. */
const matches = (line: JournalLine, { object, type, since, until }: LogOptions): boolean =>
  (since === undefined || line.time >= since) &&
  (until === undefined || line.time <= until) &&
  (type === undefined || type.some((prefix) => line.type.startsWith(prefix))) &&
  (object === undefined || sentence(line).includes(object) || JSON.stringify(line.data).includes(object));

const print = (line: JournalLine, json: boolean): void => {
  if (json) return void process.stdout.write(`${JSON.stringify(line)}\n`);
  const cause = line.cause === null ? "" : ` ← ${line.cause}`;
  process.stdout.write(
    `${String(line.seq).padStart(7)}  ${new Date(line.time).toISOString()}  ${line.type.padEnd(18)} ${sentence(line)}${cause}\n`,
  );
};

/** The line `seq` and those that it follows from, oldest first. Reads only segments that contain one of them. */
const chainOf = (folder: string, seq: number): readonly JournalLine[] => {
  const lines = new Map<number, JournalLine>();
  const lineAt = (wanted: number): JournalLine | undefined => {
    if (!lines.has(wanted))
      for (const line of readJournal(folder, { from: { seq: wanted } })) {
        lines.set(line.seq, line);
        if (line.seq >= wanted) break;
      }
    return lines.get(wanted);
  };
  const chain: JournalLine[] = [];
  for (let line = lineAt(seq); line !== undefined; line = line.cause === null ? undefined : lineAt(line.cause))
    chain.unshift(line);
  return chain;
};

export const logCommand = (): Command =>
  new Command("log")
    .description("print the event log: what happened, when, and because of what")
    .argument("<dir>", "folder of the log, or one file of it")
    .option("--object <text>", "only lines about this object, endpoint, listener, client …")
    .option(
      "--type <prefix>",
      "only lines of this type (object, transition, endpoint.revoked …); may be given again",
      collect,
    )
    .addOption(sinceOption())
    .addOption(untilOption())
    .option("--cause <seq>", "this line and the chain of what it follows from", parseSeq)
    .option("--json", "the lines as they stand in the log")
    .addCommand(logSliceCommand().exitOverride())
    .action((folder: string, options: LogOptions) => {
      const json = options.json === true;
      if (options.cause !== undefined) {
        for (const line of chainOf(folder, options.cause)) print(line, json);
        return;
      }
      const from = options.since === undefined ? {} : { from: { time: options.since } };
      for (const line of readJournal(folder, { onTorn: reportTorn, ...from }))
        if (matches(line, options)) print(line, json);
    });
