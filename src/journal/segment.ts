/** A log is a folder of segments, files of JSON lines, each named after the sequence number of its first line. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

const NAME = /^(\d{12})\.jsonl$/;

export const segmentName = (firstSeq: number): string => `${String(firstSeq).padStart(12, "0")}.jsonl`;

/** Paths of the segments in `folder`, oldest first. */
export const segmentsIn = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => NAME.test(name))
    .toSorted()
    .map((name) => join(folder, name));
