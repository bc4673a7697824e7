/** Reads a log, line by line, in any state that a crash can leave it in. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { basename } from "node:path";
import { messageOf, TurnpikeError } from "../errors.ts";
import type { JournalLine } from "./fact.ts";
import { segmentsFrom, segmentsIn, type Beginning } from "./segment.ts";
import { upcast, upcasters, type Upcasters, type WrittenLine } from "./upcast.ts";

export interface ReadOptions {
  /** Called with the number of bytes of a torn last line, which is left out. */
  readonly onTorn?: (file: string, bytes: number) => void;
  /** If `path` is a folder, earlier lines are not read: this makes a log of millions of lines quick to open. */
  readonly from?: Beginning;
  /** Which versions are read, and how. */
  readonly versions?: Upcasters;
}

const CHUNK = 1 << 20;

/** Lines from which replay can begin: lines before them may be missing. */
const BEGINNINGS: ReadonlySet<JournalLine["type"]> = new Set(["journal.recovered", "operator.started", "snapshot"]);

const NEWLINE = 0x0a;
const FROM_THE_START: Beginning = { seq: 0 };

/** A line as it is in its file. */
export interface RawLine {
  readonly text: string;
  /** 1-based. */
  readonly number: number;
  /** Whether a newline ended it; a last line without one is torn. */
  readonly whole: boolean;
}

function* rawLines(file: string): Generator<RawLine> {
  const fd = openSync(file, "r");
  try {
    const chunk = Buffer.allocUnsafe(CHUNK);
    let rest = Buffer.alloc(0);
    let number = 1;
    for (;;) {
      const read = readSync(fd, chunk, 0, CHUNK, null);
      if (read === 0) break;
      const data = Buffer.concat([rest, chunk.subarray(0, read)]);
      let start = 0;
      for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
        yield { text: data.toString("utf8", start, end), number, whole: true };
        number += 1;
        start = end + 1;
      }
      rest = Buffer.from(data.subarray(start));
    }
    if (rest.length > 0) yield { text: rest.toString("utf8"), number, whole: false };
  } finally {
    closeSync(fd);
  }
}

const readable = ({ current, from }: Upcasters): string => {
  const oldest = Math.min(current, ...from.keys());
  return oldest === current ? `version ${current}` : `versions ${oldest} to ${current}`;
};

const damaged = (file: string, line: number, why: string): TurnpikeError =>
  new TurnpikeError("journal-damaged", `${basename(file)}:${line}: ${why}`);

/** @throws TurnpikeError `journal-damaged`, `journal-version`. */
export const parseLine = (file: string, { text, number }: RawLine, versions: Upcasters): JournalLine => {
  let line: Partial<WrittenLine> | null;
  try {
    line = JSON.parse(text) as Partial<WrittenLine> | null;
  } catch (error) {
    throw damaged(file, number, `not JSON: ${messageOf(error)}`);
  }
  if (line === null || typeof line.v !== "number" || typeof line.seq !== "number" || typeof line.type !== "string")
    throw damaged(file, number, "not a line of an event log: v, seq or type is missing");
  const current = line.v === versions.current ? line : upcast(line as WrittenLine, versions);
  if (current === undefined)
    throw new TurnpikeError(
      "journal-version",
      `${basename(file)}:${number} has version ${line.v}; this release reads ${readable(versions)}`,
    );
  return current as unknown as JournalLine;
};

/** Checks that lines are consecutive. `isFirst`: the first of a segment, where a log may continue after lost lines. */
export const createSequence = () => {
  let expected: number | undefined;
  return (file: string, raw: RawLine, line: JournalLine, isFirst: boolean): JournalLine => {
    const mayJump = isFirst && BEGINNINGS.has(line.type) && line.seq > (expected ?? 0);
    if (expected !== undefined && line.seq !== expected && !mayJump)
      throw damaged(file, raw.number, `sequence number ${line.seq} where ${expected} was due`);
    expected = line.seq + 1;
    return line;
  };
};

/**
 * The lines of a log, oldest first. `path` is its folder, or one file of it.
 * @throws TurnpikeError `journal-damaged` at a line that cannot be read or is out of sequence; `journal-version`.
 */
export function* readJournal(path: string, options: ReadOptions = {}): Generator<JournalLine> {
  const files = statSync(path).isDirectory() ? segmentsFrom(segmentsIn(path), options.from ?? FROM_THE_START) : [path];
  const inSequence = createSequence();
  for (const [index, file] of files.entries()) {
    let isFirst = true;
    for (const raw of rawLines(file)) {
      if (!raw.whole) {
        if (index < files.length - 1) throw damaged(file, raw.number, "the line is torn, yet a later segment follows");
        options.onTorn?.(file, Buffer.byteLength(raw.text));
        return;
      }
      yield inSequence(file, raw, parseLine(file, raw, options.versions ?? upcasters), isFirst);
      isFirst = false;
    }
  }
}
