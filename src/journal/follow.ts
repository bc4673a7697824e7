/** Reads a log while it is being written: each line as soon as it is complete, from one segment into the next. */
import { closeSync, fstatSync, openSync, readSync, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import type { JournalLine } from "./fact.ts";
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

const CHUNK = 1 << 20;
const NEWLINE = 0x0a;
/** Poll interval in case the system does not report a change: network file systems do not. */
const LOOK_AGAIN_MS = 500;

/** One segment, read on from the last position. A torn last line, which a restart cuts off, is not read yet. */
const openSegment = (file: string) => {
  const fd = openSync(file, "r");
  const chunk = Buffer.allocUnsafe(CHUNK);
  let offset = 0;
  let number = 0;
  return {
    file,
    close: () => closeSync(fd),
    /** Whether another file has replaced it: a start removes a segment without lines, and creates it again. */
    get isReplaced() {
      const there = statSync(file, { throwIfNoEntry: false });
      return there !== undefined && there.ino !== fstatSync(fd).ino;
    },
    *lines() {
      for (let size = CHUNK; ;) {
        const buffer = size === CHUNK ? chunk : Buffer.allocUnsafe(size);
        const data = buffer.subarray(0, readSync(fd, buffer, 0, size, offset));
        let start = 0;
        for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
          const text = data.toString("utf8", start, end);
          number += 1;
          offset += end + 1 - start;
          start = end + 1;
          yield { text, number, whole: true };
        }
        if (data.length < size) return;
        // A line that is longer than one read, for example a snapshot, is read again as a whole.
        size = start === 0 ? size * 2 : CHUNK;
      }
    },
  };
};

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

  let current: ReturnType<typeof openSegment> | undefined;
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
