/**
 * A slice of a log that is read from its files: the log is replayed up to the slice, which verifies it and holds one core
 * in memory instead of all lines.
 */
import type { Digest } from "../core/core.ts";
import { createReplayer } from "../core/replay.ts";
import { TurnpikeError } from "../errors.ts";
import type { JournalLine } from "../journal/fact.ts";
import { snapshotLine } from "./snapshot-line.ts";

export interface Range {
  /** Sequence number of the first requested line; the first of the log, if absent. */
  readonly from?: number;
  /** Of the last one; the last of the log, if absent. */
  readonly to?: number;
}

export interface Slice {
  /** Sequence numbers are those of the log. The first line is a snapshot, or a start. */
  readonly lines: readonly JournalLine[];
  /**
   * The first line after the snapshot: earlier than requested, if the requested line is in the middle of one group of
   * conclusions.
   */
  readonly begins: number;
  /** Where the log does not replay, within the slice. */
  readonly divergesAt: number | undefined;
}

/** The last line at or before `before` after which a snapshot is complete. */
const lastFolded = (lines: Iterable<JournalLine>, before: number, digest: Digest): number | undefined => {
  const replayer = createReplayer(digest);
  let found: number | undefined;
  for (const line of lines) {
    if (line.seq > before) break;
    if (replayer.take(line) !== undefined)
      throw new TurnpikeError("journal-differs", `the log does not replay at line ${line.seq}, before the slice`);
    if (replayer.core?.isFolded === true && replayer.outstanding === 0) found = line.seq;
  }
  return found;
};

const snapshotAt = (lines: Iterable<JournalLine>, seq: number, digest: Digest): JournalLine | undefined => {
  const replayer = createReplayer(digest);
  for (const line of lines) {
    replayer.take(line);
    if (line.seq < seq) continue;
    return snapshotLine({ seq, time: line.time }, replayer.core?.export());
  }
  return undefined;
};

/**
 * @param read reads the log, from its start or from a snapshot before the slice; it is called more than once.
 * @throws TurnpikeError `journal-differs` if the log does not replay up to the slice; `nothing-known` if it contains none
 * of it.
 */
export const cutSlice = (
  read: () => Iterable<JournalLine>,
  { from = 0, to = Infinity }: Range,
  digest: Digest,
): Slice => {
  const folded = lastFolded(read(), from - 1, digest);
  const snapshot = folded === undefined ? undefined : snapshotAt(read(), folded, digest);
  const lines: JournalLine[] = snapshot === undefined ? [] : [snapshot];
  const replayer = createReplayer(digest);
  if (snapshot !== undefined) replayer.take(snapshot);
  for (const line of read()) {
    if (folded !== undefined && line.seq <= folded) continue;
    if (line.seq > to) break;
    lines.push(line);
    replayer.take(line);
  }
  const first = lines[snapshot === undefined ? 0 : 1];
  if (first === undefined || (lines.at(-1)?.seq ?? 0) < from)
    throw new TurnpikeError("nothing-known", `the log has no line from ${from} to ${to}`);
  return { lines, begins: first.seq, divergesAt: replayer.divergence?.seq };
};
