/** `turnpike replay --diff`: compares the results of two logs, and shows where their histories diverge. */
import { differencesBetween, happened, type Difference } from "../core/compare.ts";
import { createReplayer, type Replayer } from "../core/replay.ts";
import { digest } from "../journal/digest.ts";
import type { JournalLine } from "../journal/fact.ts";
import { sentence } from "../journal/sentence.ts";

export interface Parting {
  /** The first lines that differ; undefined for a history that had ended. */
  readonly a: JournalLine | undefined;
  readonly b: JournalLine | undefined;
}

export interface LogDifference {
  readonly parting: Parting | undefined;
  /** Machines with different histories: the states of each. */
  readonly ways: readonly Difference[];
  /** What differs at the end. */
  readonly end: readonly Difference[];
  /** Lines at which a log does not replay; nothing after them is compared. */
  readonly diverged: { readonly a: number | undefined; readonly b: number | undefined };
}

interface Side {
  readonly replayer: Replayer;
  readonly ways: Map<string, string>;
  /** The next line with an event. */
  next(): { readonly line: JournalLine; readonly says: string } | undefined;
}

const sideOf = (lines: Iterable<JournalLine>): Side => {
  const iterator = lines[Symbol.iterator]();
  const replayer = createReplayer(digest);
  const ways = new Map<string, string>();
  return {
    replayer,
    ways,
    next() {
      while (replayer.divergence === undefined) {
        const { value: line, done = false } = iterator.next() as IteratorResult<JournalLine, undefined>;
        if (done || line === undefined || replayer.take(line) !== undefined) return undefined;
        if (line.type === "transition") {
          const { machine, entity, from, to } = line.data;
          const what = `${machine} ${entity}`;
          ways.set(what, `${ways.get(what) ?? (from || "(new)")} → ${to}`);
        }
        const says = happened(line);
        if (says !== undefined) return { line, says };
      }
      return undefined;
    },
  };
};

export const compareLogs = (a: Iterable<JournalLine>, b: Iterable<JournalLine>): LogDifference => {
  const [left, right] = [sideOf(a), sideOf(b)];
  let parting: Parting | undefined;
  for (;;) {
    const [one, other] = [left.next(), right.next()];
    if (one === undefined && other === undefined) break;
    if (one?.says !== other?.says) parting ??= { a: one?.line, b: other?.line };
  }
  const names = [...new Set([...left.ways.keys(), ...right.ways.keys()])].toSorted();
  return {
    parting,
    ways: names.flatMap((what): readonly Difference[] => {
      const [one, other] = [left.ways.get(what), right.ways.get(what)];
      return one === other ? [] : [{ what, a: one, b: other }];
    }),
    end: differencesBetween(left.replayer.core, right.replayer.core),
    diverged: { a: left.replayer.divergence?.seq, b: right.replayer.divergence?.seq },
  };
};

export const isSame = ({ parting, ways, end, diverged }: LogDifference): boolean =>
  parting === undefined && ways.length + end.length === 0 && diverged.a === undefined && diverged.b === undefined;

const describeLine = (line: JournalLine | undefined): string =>
  line === undefined
    ? "(nothing more)"
    : `${String(line.seq).padStart(7)}  ${new Date(line.time).toISOString()}  ${sentence(line)}`;

const SHOWN = 160;
const BEFORE = 40;

/** Of long texts the part where they begin to differ; `--json` prints them completely. */
const clip = (text: string | undefined, other: string | undefined): string => {
  if (text === undefined) return "(absent)";
  if (text.length <= SHOWN) return text;
  let common = 0;
  while (common < text.length && text[common] === other?.[common]) common += 1;
  const start = Math.max(0, common - BEFORE);
  return `${start > 0 ? "…" : ""}${text.slice(start, start + SHOWN)}${start + SHOWN < text.length ? "…" : ""}`;
};

const describeList = (title: string, differences: readonly Difference[]): string =>
  differences.length === 0
    ? ""
    : `${title}\n${differences.map(({ what, a, b }) => `  ${what}\n    a: ${clip(a, b)}\n    b: ${clip(b, a)}\n`).join("")}`;

export const describeLogDifference = (difference: LogDifference): string => {
  if (isSame(difference)) return "the same happened in both, and leads to the same\n";
  const { parting, ways, end, diverged } = difference;
  return [
    ...(["a", "b"] as const).map((side) =>
      diverged[side] === undefined ? "" : `${side} does not replay from line ${diverged[side]} on\n`,
    ),
    parting === undefined
      ? "the same happened in both\n"
      : `they part at\n  a: ${describeLine(parting.a)}\n  b: ${describeLine(parting.b)}\n`,
    describeList("moved otherwise", ways),
    describeList("other in the end", end),
  ].join("");
};
