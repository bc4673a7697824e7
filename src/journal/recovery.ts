/** Repairs the end of a log after a crash, and finds where appending continues. */
import { renameSync, rmSync, statSync, truncateSync } from "node:fs";
import { TurnpikeError } from "../errors.ts";
import { readJournal } from "./reader.ts";
import { segmentsIn } from "./segment.ts";

export interface Recovered {
  readonly lastSeq: number;
  /** Bytes of a torn line that was cut off, or of a damaged segment. */
  readonly tornBytes: number;
  /** Segment to continue; undefined if a new one must be created. */
  readonly segment: string | undefined;
}

const firstSeqOf = (segment: string): number => Number(/(\d+)\.jsonl$/.exec(segment)?.[1]);

/**
 * Makes the last segment of `folder` ready for appending: cuts a torn last line off, removes a segment without lines, and
 * renames a damaged one to `….damaged`; sequence numbers then skip its size in bytes.
 */
export const recover = (folder: string): Recovered => {
  const last = segmentsIn(folder).at(-1);
  if (last === undefined) return { lastSeq: 0, tornBytes: 0, segment: undefined };
  let tornBytes = 0;
  // The name contains the sequence number, in case nothing of the segment survived.
  let lastSeq = firstSeqOf(last) - 1;
  let lines = 0;
  try {
    for (const line of readJournal(last, { onTorn: (_, bytes) => (tornBytes = bytes) })) {
      lastSeq = line.seq;
      lines += 1;
    }
  } catch (error) {
    if (!(error instanceof TurnpikeError) || error.code !== "journal-damaged") throw error;
    // The content is kept for manual recovery; the program must run.
    renameSync(last, `${last}.damaged`);
    const behind = statSync(`${last}.damaged`).size;
    return { lastSeq: lastSeq + behind, tornBytes: behind, segment: undefined };
  }
  if (lines === 0) {
    rmSync(last);
    return { lastSeq, tornBytes, segment: undefined };
  }
  if (tornBytes > 0) truncateSync(last, statSync(last).size - tornBytes);
  return { lastSeq, tornBytes, segment: last };
};
