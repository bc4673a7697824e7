/** Files that the page saves: the log that it shows, a slice of it, and texts. */
import type { JournalLine } from "../../journal/fact.ts";
import { sliceOf } from "../../slices/of-history.ts";
import { positionOf, type State } from "./state.ts";

const NDJSON = "application/x-ndjson";
/** How long a browser may take to begin a download. */
const REVOKE_MS = 10_000;

const save = (name: string, type: string, parts: BlobPart[]): void => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_MS);
};

const ndjson = (lines: Iterable<JournalLine>): BlobPart[] => {
  const parts: BlobPart[] = [];
  for (const line of lines) parts.push(`${JSON.stringify(line)}\n`);
  return parts;
};

export const saveText = (name: string, type: string, text: string): void => save(name, type, [text]);

export const saveLog = ({ history }: State): void => {
  const lines = Array.from({ length: history.length }, (_, at) => history.line(at)).filter(
    (line) => line !== undefined,
  );
  save(`turnpike-${history.last?.seq ?? 0}.jsonl`, NDJSON, ndjson(lines));
};

/**
 * The lines between the two moments of the comparison, or all lines up to the shown one, as a log that replays on its own.
 */
export const saveSlice = (state: State): void => {
  const ends = [positionOf(state), state.compareWith ?? 0].toSorted((a, b) => a - b);
  const lines = sliceOf(state.history, ends[0] ?? 0, ends[1] ?? 0);
  save(`slice-${lines[0]?.seq ?? 0}-${lines.at(-1)?.seq ?? 0}.jsonl`, NDJSON, ndjson(lines));
};
