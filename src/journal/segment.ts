/** A log is a folder of segments, files of JSON lines, each named after the sequence number of its first line. */
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";

const NAME = /^(\d{12})\.jsonl$/;

export const segmentName = (firstSeq: number): string => `${String(firstSeq).padStart(12, "0")}.jsonl`;

/** Paths of the segments in `folder`, oldest first. */
export const segmentsIn = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => NAME.test(name))
    .toSorted()
    .map((name) => join(folder, name));

/** The metadata of a line. */
export interface LineHead {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly type: string;
}

/** Longer than an envelope; the rest of the line, for a snapshot, may be megabytes. */
const HEAD_BYTES = 512;
const ENVELOPE = /^\{"v":\d+,"seq":(\d+),"time":(\d+),"source":"[^"]*","cause":(?:\d+|null),"type":"([^"]+)"/;

/** The metadata of a line; undefined if it does not begin as the writer begins lines. */
export const headOfLine = (text: string): LineHead | undefined => {
  const [, seq, time, type] = ENVELOPE.exec(text) ?? [];
  return type === undefined ? undefined : { seq: Number(seq), time: Number(time), type };
};

/** Undefined if a segment is empty, or does not begin as the writer begins it. */
export const headOf = (segment: string): LineHead | undefined => {
  const bytes = Buffer.alloc(HEAD_BYTES);
  const fd = openSync(segment, "r");
  try {
    return headOfLine(bytes.toString("utf8", 0, readSync(fd, bytes)));
  } finally {
    closeSync(fd);
  }
};

/** Where to begin reading: at the newest segment that meets all of these conditions; at the oldest if none does. */
export interface Beginning {
  /** It holds this line, or begins before it. */
  readonly seq?: number;
  /** It begins at this time or earlier, in ms since 1970. */
  readonly time?: number;
  /** It begins with a snapshot, so that replay can begin there. */
  readonly atSnapshot?: boolean;
}

/** The segments from a start position on. */
export const segmentsFrom = (
  segments: readonly string[],
  { seq = Infinity, time = Infinity, atSnapshot = false }: Beginning,
): readonly string[] => {
  const at = segments.findLastIndex((segment) => {
    const head = headOf(segment);
    return head !== undefined && head.seq <= seq && head.time <= time && (!atSnapshot || head.type === "snapshot");
  });
  return segments.slice(Math.max(at, 0));
};
