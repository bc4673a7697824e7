/**
 * Reads the lines of some types in a log that this process writes, forward from a position and a part at a time. Other
 * lines are skipped without parsing them.
 */
import type { FactLine } from "./fact.ts";
import { openSegment, type OpenSegment } from "./open-segment.ts";
import { parseLine } from "./reader.ts";
import { headOfLine, segmentsFrom, segmentsIn } from "./segment.ts";
import { upcasters } from "./upcast.ts";

/** Lines of one segment. */
export interface TailPart<Type extends FactLine["type"]> {
  /** Path. */
  readonly segment: string;
  readonly lines: readonly Extract<FactLine, { readonly type: Type }>[];
  /**
   * `more`: there may be more in this segment. `left`: all of it was read, and a later one follows. `end`: all that the file
   * contains by now was read.
   */
  readonly at: "more" | "left" | "end";
}

export interface Tail<Type extends FactLine["type"]> {
  /**
   * The next lines, at most `max`.
   * @throws TurnpikeError `journal-damaged`, `journal-version`; the error of reading.
   */
  read(max: number): TailPart<Type>;
  /** Sequence number of the last line that was read or skipped. */
  readonly through: number;
  /** Path of the segment that is read; undefined before the first. */
  readonly segment: string | undefined;
  /** Continues behind `segment`, if it has not been read to its end. */
  leave(segment: string): void;
  close(): void;
}

/** Lines that one call looks at, so that it does not take long. */
const MAX_SKIPPED = 5_000;

/** @param through sequence number of the last line that is not read. */
export const openTail = <Type extends FactLine["type"]>(
  folder: string,
  through: number,
  types: ReadonlySet<Type>,
): Tail<Type> => {
  let current: OpenSegment | undefined;

  const after = (file: string): string | undefined => segmentsIn(folder).find((segment) => segment > file);
  const go = (file: string): OpenSegment => {
    current?.close();
    return (current = openSegment(file));
  };
  const first = (): OpenSegment => {
    const [file] = segmentsFrom(segmentsIn(folder), { seq: through + 1 });
    if (file === undefined) throw new Error(`${folder} has no segments`);
    return go(file);
  };
  const isOf = (line: FactLine): line is Extract<FactLine, { readonly type: Type }> => types.has(line.type as Type);

  return {
    read(max) {
      const { file, lines } = current ?? first();
      const found: Extract<FactLine, { readonly type: Type }>[] = [];
      let seen = 0;
      for (const raw of lines()) {
        const head = headOfLine(raw.text);
        if (head !== undefined && head.seq > through) {
          through = head.seq;
          if (types.has(head.type as Type)) {
            const line = parseLine(file, raw, upcasters) as FactLine;
            if (isOf(line)) found.push(line);
          }
        }
        seen += 1;
        if (found.length >= max || seen >= MAX_SKIPPED) return { segment: file, lines: found, at: "more" };
      }
      const next = after(file);
      if (next === undefined) return { segment: file, lines: found, at: "end" };
      go(next);
      return { segment: file, lines: found, at: "left" };
    },
    get through() {
      return through;
    },
    get segment() {
      return current?.file;
    },
    leave(segment) {
      if (current === undefined || current.file > segment) return;
      const next = after(segment);
      if (next !== undefined) go(next);
    },
    close: () => {
      current?.close();
      current = undefined;
    },
  };
};
