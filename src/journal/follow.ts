/** Reads a log while it is being written: each line as soon as it is complete, from one segment into the next. */
import { statSync, watch } from "node:fs";
import { dirname } from "node:path";
import type { JournalLine } from "./fact.ts";
import { openSegment, type OpenSegment } from "./open-segment.ts";
import { createSequence, parseLine } from "./reader.ts";
import { segmentsFrom, segmentsIn, type Beginning } from "./segment.ts";
import { upcasters } from "./upcast.ts";

export interface FollowOptions {
  readonly from?: Beginning;
  /** Stops following. */
  readonly signal: AbortSignal;
  /** Called each time that all existing lines have been read. */
  readonly onCaughtUp?: () => void;
}

/** Poll interval in case the system does not report a change: network file systems do not. */
const LOOK_AGAIN_MS = 500;

/**
 * Every line of a log, including future ones. `path` is its folder, or one file of it. Ends when `signal` is aborted.
 * @throws TurnpikeError as `readJournal` does.
 */
export async function* followJournal(path: string, options: FollowOptions): AsyncGenerator<JournalLine> {
  const { signal, onCaughtUp, from = { seq: 0 } } = options;
  const isFolder = statSync(path).isDirectory();
  let wake = (): void => undefined;
  const watching = watch(isFolder ? path : dirname(path), () => wake());
  // What can no longer be watched is polled instead.
  watching.on("error", () => undefined);
  const timer = setInterval(() => wake(), LOOK_AGAIN_MS);
  const onAbort = (): void => wake();
  signal.addEventListener("abort", onAbort);

  let current: OpenSegment | undefined;
  const nextSegment = (): string | undefined => {
    if (current?.isReplaced === true) return current.file;
    if (!isFolder) return current === undefined ? path : undefined;
    const { file } = current ?? {};
    if (file === undefined) return segmentsFrom(segmentsIn(path), from)[0];
    return segmentsIn(path).find((segment) => segment > file);
  };

  const inSequence = createSequence();
  let isFirst = true;
  try {
    while (!signal.aborted) {
      const changed = new Promise<void>((resolve) => (wake = resolve));
      // Looked up before the current segment is read to its end: once there is a next one, nothing is appended to the
      // current one.
      const next = nextSegment();
      for (const raw of current?.lines() ?? []) {
        if (signal.aborted) return;
        yield inSequence(current?.file ?? path, raw, parseLine(current?.file ?? path, raw, upcasters), isFirst);
        isFirst = false;
      }
      if (next !== undefined) {
        current?.close();
        current = openSegment(next);
        isFirst = true;
        continue;
      }
      onCaughtUp?.();
      await changed;
    }
  } finally {
    clearInterval(timer);
    watching.close();
    signal.removeEventListener("abort", onAbort);
    current?.close();
  }
}
