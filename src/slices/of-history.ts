/**
 * A slice of a log that is indexed in memory, for the page: the log contains the folds and the state, and nothing is
 * replayed.
 */
import { isDerivation, type JournalLine } from "../journal/fact.ts";
import type { History } from "../history/history.ts";
import { snapshotLine } from "./snapshot-line.ts";

/**
 * Whether everything up to the line at `position` was folded, and the next line is a fact: there a snapshot is complete.
 */
const isFolded = (history: History, position: number): boolean => {
  const next = history.line(position + 1);
  if (next === undefined || isDerivation(next)) return false;
  for (let at = position; at >= 0; at -= 1) {
    const line = history.line(at);
    if (line?.type === "fold") return true;
    if (line === undefined || !isDerivation(line) || line.type === "snapshot") return line?.type === "snapshot";
  }
  return false;
};

/**
 * The lines at positions `from` to `to` and earlier lines back to a complete fold; the snapshot of that point first, unless
 * the log begins there. Sequence numbers do not change.
 */
export const sliceOf = (history: History, from: number, to: number): readonly JournalLine[] => {
  let before = from - 1;
  while (before >= 0 && !isFolded(history, before)) before -= 1;
  const lines: JournalLine[] = [];
  const last = history.line(before);
  const moment = before < 0 ? undefined : history.moment(before);
  if (last !== undefined && moment !== undefined) lines.push(snapshotLine(last, moment.snapshot()));
  for (let at = moment === undefined ? 0 : before + 1; at <= to; at += 1) {
    const line = history.line(at);
    if (line !== undefined) lines.push(line);
  }
  return lines;
};
