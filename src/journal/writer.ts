/** Appends to a log: segments, rotation, retention, and a disk that rejects writes. */
import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { lockFolder } from "./lock.ts";
import { JOURNAL_VERSION, type Derivation, type Fact, type FactLine, type JournalLine } from "./fact.ts";
import { recover } from "./recovery.ts";
import { segmentName, segmentsIn } from "./segment.ts";
import { messageOf } from "../errors.ts";

export interface WriterOptions {
  /** When lines are synced to disk: with every flush, once every `fsyncIntervalMs`, or when the system decides. */
  readonly fsync?: "always" | "interval" | "never";
  readonly fsyncIntervalMs?: number;
  /** A segment is closed once it has this many bytes. */
  readonly segmentBytes?: number;
  /** Number of closed segments kept; older ones are removed. */
  readonly keepSegments?: number;
  /** Bytes kept in memory while the disk rejects writes; beyond that, lines are lost and a snapshot replaces them. */
  readonly unwrittenBytes?: number;
  /** Called with the reason when the disk begins to reject writes, and with undefined when it accepts them again. */
  readonly onDisk?: (refusal: string | undefined) => void;
  readonly now?: () => number;
  /** `fs.writeSync`, except in tests. */
  readonly write?: (fd: number, bytes: Buffer) => number;
}

export interface JournalWriter {
  /** Appends a fact, and returns it as a line of the log. The next `flush` writes it to the file. */
  append(fact: Fact, source: string, cause: number | null): FactLine;
  derive(derivation: Derivation, cause: number, time: number): JournalLine;
  flush(): void;
  /** Whether the current segment is full, or lines were lost: then call `rotate`. */
  readonly full: boolean;
  /** Starts the next segment with `snapshot`, from which replay can begin, and drops segments past retention. */
  rotate(snapshot: unknown): void;
  /** Path of the current segment, to which the next `flush` writes. */
  readonly segment: string;
  /** Called with the path of each segment that is past retention, before it is removed. */
  onRemove(listener: (segment: string) => void): void;
  /** Found when the log was opened: bytes of a torn line that were dropped. */
  readonly tornBytes: number;
  readonly lastSeq: number;
  /** Why the disk rejects writes; undefined while it accepts them. */
  readonly refusal: string | undefined;
  close(): void;
}

const MIB = 1 << 20;
const BUFFER_CHARACTERS = MIB;
const NEWLINE = 0x0a;

export const openJournal = (folder: string, options: WriterOptions = {}): JournalWriter => {
  const {
    fsync = "interval",
    fsyncIntervalMs = 1000,
    segmentBytes = 64 * MIB,
    keepSegments = 16,
    unwrittenBytes = 64 * MIB,
    onDisk = () => undefined,
    now = Date.now,
    write = writeSync,
  } = options;

  const lockPath = lockFolder(folder);
  const { lastSeq, tornBytes, segment } = recover(folder);
  let seq = lastSeq;
  let file = segment ?? join(folder, segmentName(seq + 1));
  let fd = openSync(file, "a", 0o600);
  const removing: ((segment: string) => void)[] = [];
  let size = segment === undefined ? 0 : statSync(segment).size;
  let pending: string[] = [];
  let pendingCharacters = 0;
  /** Lines that are not on disk yet. */
  let unwritten: Buffer = Buffer.alloc(0);
  let refusal: string | undefined;
  /** Lines are dropped until a snapshot replaces them. */
  let hasGap = false;
  let unsynced = false;

  /** A full or missing disk must not end calls: the next flush repeats what failed. */
  const onTheDisk = (work: () => void): boolean => {
    try {
      work();
    } catch (error) {
      const reason = messageOf(error);
      if (refusal === undefined) onDisk(reason);
      refusal = reason;
      return false;
    }
    if (refusal !== undefined) onDisk(undefined);
    refusal = undefined;
    return true;
  };

  const sync = (): void => {
    if (unsynced) unsynced = !onTheDisk(() => fsyncSync(fd));
  };

  const timer = fsync === "interval" ? setInterval(sync, fsyncIntervalMs).unref() : undefined;

  /** After the close, the descriptor may belong to another file. */
  let isClosed = false;

  const flush = (): void => {
    if (isClosed) return;
    if (pending.length > 0) unwritten = Buffer.concat([unwritten, Buffer.from(pending.join(""))]);
    pending = [];
    pendingCharacters = 0;
    if (unwritten.length === 0) return;
    onTheDisk(() => {
      while (unwritten.length > 0) {
        const written = write(fd, unwritten);
        unwritten = unwritten.subarray(written);
        size += written;
        unsynced = fsync !== "never";
      }
    });
    if (unwritten.length > unwrittenBytes) {
      // The line that is half on the disk must be completed later; the others are lost.
      unwritten = unwritten.subarray(0, unwritten.indexOf(NEWLINE) + 1);
      hasGap = true;
    }
    if (fsync === "always") sync();
  };

  const put = <T extends JournalLine>(line: T): T => {
    if (hasGap || isClosed) return line;
    const text = `${JSON.stringify(line)}\n`;
    pending.push(text);
    pendingCharacters += text.length;
    if (pendingCharacters > BUFFER_CHARACTERS) flush();
    return line;
  };

  const envelope = (source: string, cause: number | null, time: number) => {
    seq += 1;
    return { v: JOURNAL_VERSION, seq, time, source, cause } as const;
  };

  return {
    append: (fact, source, cause) => put({ ...envelope(source, cause, now()), ...fact }),
    derive: (derivation, cause, time) => put({ ...envelope("core", cause, time), ...derivation }),
    flush,
    get full() {
      return size >= segmentBytes || hasGap;
    },
    rotate(snapshot) {
      if (isClosed) return;
      flush();
      if (unwritten.length > 0) return;
      const rotated = onTheDisk(() => {
        if (fsync !== "never") fsyncSync(fd);
        const nextFile = join(folder, segmentName(seq + 1));
        const next = openSync(nextFile, "a", 0o600);
        closeSync(fd);
        [file, fd] = [nextFile, next];
      });
      if (!rotated) return;
      size = 0;
      hasGap = false;
      put({ ...envelope("core", null, now()), type: "snapshot", data: snapshot });
      flush();
      sync();
      for (const old of segmentsIn(folder).slice(0, -1 - keepSegments)) {
        for (const listener of removing) listener(old);
        rmSync(old);
      }
    },
    tornBytes,
    get segment() {
      return file;
    },
    onRemove: (listener) => void removing.push(listener),
    get lastSeq() {
      return seq;
    },
    get refusal() {
      return refusal;
    },
    close() {
      if (isClosed) return;
      clearInterval(timer);
      flush();
      sync();
      isClosed = true;
      closeSync(fd);
      rmSync(lockPath, { force: true });
    },
  };
};
