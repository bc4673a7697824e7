/** One segment of a log that may still be written. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { RawLine } from "./reader.ts";

export interface OpenSegment {
  readonly file: string;
  /** Whether another file has replaced it: a start removes a segment without lines, and creates it again. */
  readonly isReplaced: boolean;
  /** The lines from the last position on; a line that was taken is not read again. */
  lines(): Iterable<RawLine>;
  close(): void;
}

const CHUNK = 1 << 20;
const NEWLINE = 0x0a;

/** One segment, read on from the last position. A torn last line, which a restart cuts off, is not read yet. */
export const openSegment = (file: string): OpenSegment => {
  const fd = openSync(file, "r");
  const chunk = Buffer.allocUnsafe(CHUNK);
  let offset = 0;
  let number = 0;
  return {
    file,
    close: () => closeSync(fd),
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
