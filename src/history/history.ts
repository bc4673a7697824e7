/**
 * A log with an index, so that the state of the world at any line is available without replay: the core's conclusions are
 * in the log. Lines are only appended; a moment does not change afterwards.
 */
import type { JournalLine, MachineId } from "../journal/fact.ts";
import { createIndex, instanceOf } from "./log-index.ts";
import { createMoment, type Moment } from "./moment.ts";
import { lastAtMost } from "./track.ts";

export interface History {
  append(line: JournalLine): void;
  readonly length: number;
  readonly first: JournalLine | undefined;
  readonly last: JournalLine | undefined;
  /** The line at `position`, from 0. */
  line(position: number): JournalLine | undefined;
  /** Position of the line `seq`, or of the last one before it; -1 if there is none. */
  positionOf(seq: number): number;
  /** Position of the last line not later than `time`, in ms since 1970; -1 if there is none. */
  positionAt(time: number): number;
  /** The world as of the line at `position`; undefined before the first start in the log. */
  moment(position: number): Moment | undefined;
  /** Lines that follow from the line `seq`, oldest first. */
  effectsOf(seq: number): readonly JournalLine[];
  /** Positions of an instance's transitions, oldest first. */
  movesOf(machine: MachineId, entity: string): readonly number[];
}

export interface HistoryOptions {
  /**
   * `latest`: drop earlier versions of objects, which the moment of the last line does not need. Logs have millions of
   * lines.
   */
  readonly versions?: "all" | "latest";
}

export const createHistory = ({ versions = "all" }: HistoryOptions = {}): History => {
  const { index, append } = createIndex(versions === "all");
  const { lines } = index;
  const seqs: number[] = [];
  /** Latest time up to each line: clocks may be set back. */
  const times: number[] = [];
  /** Positions of the effects of each line, by its sequence number. */
  const effects = new Map<number, number[]>();

  return {
    append(line) {
      const position = lines.length;
      append(line);
      seqs.push(line.seq);
      times.push(Math.max(line.time, times[position - 1] ?? 0));
      if (line.cause === null) return;
      const siblings = effects.get(line.cause);
      if (siblings === undefined) effects.set(line.cause, [position]);
      else siblings.push(position);
    },
    get length() {
      return lines.length;
    },
    get first() {
      return lines[0];
    },
    get last() {
      return lines.at(-1);
    },
    line: (position) => lines[position],
    positionOf: (seq) => lastAtMost(seqs, seq),
    positionAt: (time) => lastAtMost(times, time),
    moment: (position) => createMoment(index, Math.min(position, lines.length - 1)),
    effectsOf: (seq) => (effects.get(seq) ?? []).flatMap((position) => lines[position] ?? []),
    movesOf: (machine, entity) => index.standings.of(instanceOf(machine, entity))?.changes ?? [],
  };
};
