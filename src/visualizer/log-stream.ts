/** A log from disk, sent as lines of JSON; then, on request, each new line. Nothing is parsed here. */
import { closeSync, fstatSync, openSync, read, statSync } from "node:fs";
import { promisify } from "node:util";
import { setTimeout as wait } from "node:timers/promises";
import { segmentsIn } from "../journal/segment.ts";

export interface LogStreamOptions {
  /** Only lines from this sequence number on. */
  readonly from?: number;
  /** At least this many of the last lines, from a line at which replay can begin. */
  readonly last?: number;
  /** Continues with new lines until `signal` is aborted. */
  readonly follow?: boolean;
  readonly signal: AbortSignal;
}

export interface LogStream {
  /** Size in bytes when it began: later bytes are new. Lines omitted by `from` are included. */
  readonly bytes: number;
  readonly chunks: AsyncGenerator<Uint8Array>;
}

const CHUNK = 1 << 18;
/** Polling interval for new lines. */
const EVERY_MS = 250;
/** Interval of empty lines, so that both ends detect a dead connection. */
const HEARTBEAT_MS = 15_000;
const NEWLINE = 0x0a;

const readAt = promisify(read);

const isFolder = (path: string): boolean => statSync(path).isDirectory();
const filesOf = (path: string): readonly string[] => (isFolder(path) ? segmentsIn(path) : [path]);

const firstSeqOf = (segment: string): number => Number(/(\d+)\.jsonl$/.exec(segment)?.[1] ?? 0);

const SEQ = /^\{"v":\d+,"seq":(\d+),/;

/** Sequence number of the line at `start`; lines begin with it. */
const seqAt = (bytes: Buffer, start: number): number =>
  Number(SEQ.exec(bytes.toString("latin1", start, start + 48))?.[1] ?? Infinity);

/** Where in `lines`, all complete, those from `from` on begin. */
const startOf = (lines: Buffer, from: number): number => {
  let start = 0;
  while (start < lines.length && seqAt(lines, start) < from) start = lines.indexOf(NEWLINE, start) + 1;
  return start;
};

/** The files to send, oldest first. */
const chosen = (path: string, { from, last }: LogStreamOptions): readonly string[] => {
  const files = filesOf(path);
  if (files.length < 2) return files;
  const end = firstSeqOf(files.at(-1) ?? "");
  const wanted = from ?? (last === undefined ? 0 : end - last);
  const at = files.findLastIndex((file) => firstSeqOf(file) <= wanted);
  return files.slice(Math.max(at, 0));
};

async function* follow(path: string, first: readonly string[], options: LogStreamOptions): AsyncGenerator<Uint8Array> {
  const { signal, from = 0 } = options;
  const queue = [...first];
  let quietMs = 0;
  /** The newest file that was read. */
  let newest = "";
  for (let file = queue.shift(); file !== undefined && !signal.aborted; file = queue.shift()) {
    newest = file;
    const fd = openSync(file, "r");
    try {
      let at = 0;
      let rest = Buffer.alloc(0);
      for (;;) {
        const there = fstatSync(fd).size - at;
        if (there > 0) {
          const chunk = Buffer.allocUnsafe(Math.min(there, CHUNK));
          const { bytesRead } = await readAt(fd, chunk, 0, chunk.length, at);
          if (signal.aborted) return;
          quietMs = 0;
          at += bytesRead;
          const data = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
          const end = data.lastIndexOf(NEWLINE) + 1;
          rest = Buffer.from(data.subarray(end));
          const lines = data.subarray(0, end);
          const start = from > 0 ? startOf(lines, from) : 0;
          if (start < lines.length) yield lines.subarray(start);
          continue;
        }
        if (queue.length > 0) break;
        if (options.follow !== true) return;
        if (isFolder(path)) queue.push(...segmentsIn(path).filter((segment) => segment > newest));
        if (queue.length > 0) {
          // What was appended to this file before the next one was begun.
          if (fstatSync(fd).size > at) continue;
          break;
        }
        await wait(EVERY_MS, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
        quietMs += EVERY_MS;
        if (quietMs >= HEARTBEAT_MS) {
          quietMs = 0;
          yield Buffer.from("\n");
        }
      }
    } finally {
      closeSync(fd);
    }
  }
}

/** @param path a log's folder, or one file of it. @throws the error of the file system if it cannot be read. */
export const streamLog = (path: string, options: LogStreamOptions): LogStream => {
  const files = chosen(path, options);
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  return { bytes, chunks: follow(path, files, options) };
};
