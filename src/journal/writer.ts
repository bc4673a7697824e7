/** Appends to a log: segments, rotation, retention, and what to do about a tail that a crash tore. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { TurnpikeError } from "../errors.ts";
import { JOURNAL_VERSION, type Derivation, type Fact, type FactLine, type JournalLine } from "./fact.ts";
import { readJournal } from "./reader.ts";
import { segmentName, segmentsIn } from "./segment.ts";

export interface WriterOptions {
  /** When lines reach the disk for certain: with every flush, once every `fsyncIntervalMs`, or when the system likes. */
  readonly fsync?: "always" | "interval" | "never";
  readonly fsyncIntervalMs?: number;
  /** A segment is closed once it has this many bytes. */
  readonly segmentBytes?: number;
  /** Closed segments kept; older ones are removed. */
  readonly keepSegments?: number;
  readonly now?: () => number;
}

export interface JournalWriter {
  /** Puts a fact into the log, as it then stands there. It reaches the file with the next `flush`. */
  append(fact: Fact, source: string, cause: number | null): FactLine;
  derive(derivation: Derivation, cause: number, time: number): JournalLine;
  flush(): void;
  /** Whether the current segment is full. */
  readonly full: boolean;
  /** Starts the next segment with `snapshot`, from which replay can begin, and drops segments past retention. */
  rotate(snapshot: unknown): void;
  /** What was found when the log was opened: bytes of a torn line that were dropped. */
  readonly tornBytes: number;
  readonly lastSeq: number;
  close(): void;
}

const MIB = 1 << 20;
const BUFFER_CHARACTERS = MIB;

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** One writer a log: a second one would interleave its sequence numbers. */
const lock = (folder: string): string => {
  const path = join(folder, "lock");
  if (existsSync(path)) {
    const pid = Number(readFileSync(path, "utf8"));
    if (Number.isInteger(pid) && pid > 0 && pid !== process.pid && isRunning(pid))
      throw new TurnpikeError("journal-busy", `process ${pid} is writing to ${folder}`);
    rmSync(path, { force: true });
  }
  const fd = openSync(path, "wx", 0o600);
  writeSync(fd, String(process.pid));
  closeSync(fd);
  return path;
};

/** Cuts a torn last line off and tells the last sequence number. */
const recover = (folder: string): { readonly lastSeq: number; readonly tornBytes: number } => {
  const last = segmentsIn(folder).at(-1);
  if (last === undefined) return { lastSeq: 0, tornBytes: 0 };
  let tornBytes = 0;
  let lastSeq = 0;
  for (const line of readJournal(last, { onTorn: (_, bytes) => (tornBytes = bytes) })) lastSeq = line.seq;
  if (tornBytes > 0) truncateSync(last, statSync(last).size - tornBytes);
  if (lastSeq === 0) {
    // Nothing of this segment survived; its name still says where the sequence stood.
    lastSeq = Number(/(\d+)\.jsonl$/.exec(last)?.[1]) - 1;
    rmSync(last);
  }
  return { lastSeq, tornBytes };
};

export const openJournal = (folder: string, options: WriterOptions = {}): JournalWriter => {
  const {
    fsync = "interval",
    fsyncIntervalMs = 1000,
    segmentBytes = 64 * MIB,
    keepSegments = 16,
    now = Date.now,
  } = options;

  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lockPath = lock(folder);
  const { lastSeq, tornBytes } = recover(folder);
  const existing = segmentsIn(folder).at(-1);
  let seq = lastSeq;
  let fd = openSync(existing ?? join(folder, segmentName(seq + 1)), "a", 0o600);
  let size = existing === undefined ? 0 : statSync(existing).size;
  let pending: string[] = [];
  let pendingCharacters = 0;
  let unsynced = false;

  const sync = (): void => {
    if (!unsynced) return;
    fsyncSync(fd);
    unsynced = false;
  };

  const timer = fsync === "interval" ? setInterval(sync, fsyncIntervalMs).unref() : undefined;

  const flush = (): void => {
    if (pending.length === 0) return;
    const bytes = Buffer.from(pending.join(""));
    pending = [];
    pendingCharacters = 0;
    for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
    size += bytes.length;
    unsynced = fsync !== "never";
    if (fsync === "always") sync();
  };

  const put = <T extends JournalLine>(line: T): T => {
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
      return size >= segmentBytes;
    },
    rotate(snapshot) {
      flush();
      if (fsync !== "never") fsyncSync(fd);
      closeSync(fd);
      fd = openSync(join(folder, segmentName(seq + 1)), "a", 0o600);
      size = 0;
      put({ ...envelope("core", null, now()), type: "snapshot", data: snapshot });
      flush();
      sync();
      for (const old of segmentsIn(folder).slice(0, -1 - keepSegments)) rmSync(old);
    },
    tornBytes,
    get lastSeq() {
      return seq;
    },
    close() {
      clearInterval(timer);
      flush();
      sync();
      closeSync(fd);
      rmSync(lockPath, { force: true });
    },
  };
};
