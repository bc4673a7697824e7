/** How many reports each segment of the log has that have not been read for sending. */
import { openSegment } from "../../journal/open-segment.ts";
import { headOfLine, segmentsFrom, segmentsIn } from "../../journal/segment.ts";
import { REPORTS } from "./record.ts";

export class Unread {
  readonly #bySegment = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(segment: string, count = 1): void {
    this.#bySegment.set(segment, (this.#bySegment.get(segment) ?? 0) + count);
    this.#total += count;
  }

  read(segment: string, count: number): void {
    this.add(segment, -count);
  }

  /** Nothing more is read from `segment`. Returns how many of its reports were not. */
  leave(segment: string): number {
    const count = this.#bySegment.get(segment) ?? 0;
    this.#bySegment.delete(segment);
    this.#total -= count;
    return count;
  }
}

/** Those in the log after the line `through`. @throws the error of reading. */
export const unreadAfter = (folder: string, through: number): Unread => {
  const unread = new Unread();
  const types: ReadonlySet<string> = REPORTS;
  for (const file of segmentsFrom(segmentsIn(folder), { seq: through + 1 })) {
    const segment = openSegment(file);
    try {
      for (const { text } of segment.lines()) {
        const head = headOfLine(text);
        if (head !== undefined && head.seq > through && types.has(head.type)) unread.add(file);
      }
    } finally {
      segment.close();
    }
  }
  return unread;
};
