/**
 * The first line of a slice: the whole state before it. A slice replays without the rest of the log; its sequence numbers
 * are those of the log.
 */
import type { CoreSnapshot } from "../core/core.ts";
import { JOURNAL_VERSION, type JournalLine } from "../journal/fact.ts";

/** `data` as of the line `at`, which the snapshot replaces. */
export const snapshotLine = (
  { seq, time }: Pick<JournalLine, "seq" | "time">,
  data: CoreSnapshot | undefined,
): JournalLine => ({ v: JOURNAL_VERSION, seq, time, source: "core", cause: null, type: "snapshot", data });
