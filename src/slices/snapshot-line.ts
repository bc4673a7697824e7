/** What a slice begins with: all that was known before it. A slice replays by itself; its sequence numbers are those of the log. */
import type { CoreSnapshot } from "../core/core.ts";
import { JOURNAL_VERSION, type JournalLine } from "../journal/fact.ts";

/** `data` as of the line `at`, whose place in the log the snapshot takes. */
export const snapshotLine = (
  { seq, time }: Pick<JournalLine, "seq" | "time">,
  data: CoreSnapshot | undefined,
): JournalLine => ({ v: JOURNAL_VERSION, seq, time, source: "core", cause: null, type: "snapshot", data });
