/**
 * A log, so indexed that the world can be looked at as of any line without replaying: what the core concluded stands in the
 * log. Lines are only ever added; a moment that was taken stays what it was.
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
  /** The line at `position`, 0 and up. */
  line(position: number): JournalLine | undefined;
  /** Position of the line `seq`, or of the last before it; -1 where there is none. */
  positionOf(seq: number): number;
  /** Position of the last line not later than `time`, in ms since 1970; -1 where there is none. */
  positionAt(time: number): number;
  /** The world as of the line at `position`; nothing before the first start in the log. */
  moment(position: number): Moment | undefined;
  /** Lines that follow from the line `seq`, oldest first. */
  effectsOf(seq: number): readonly JournalLine[];
  /** Positions at which an instance moved, oldest first. */
  movesOf(machine: MachineId, entity: string): readonly number[];
}

export interface HistoryOptions {
  /**
   * `latest`: forget the earlier versions of objects, which the moment of the last line does not need. Logs have millions
   * of lines.
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
