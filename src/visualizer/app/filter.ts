/** Which lines are shown. */
import type { JournalLine } from "../../journal/fact.ts";
import { sentence } from "../../journal/sentence.ts";
import { splitOutput } from "../../core/output-id.ts";

export interface Filter {
  /** Type, or the beginning of one; empty: all. */
  readonly type: string;
  /** Kind of an object, or a machine; empty: all. */
  readonly kind: string;
  /** Part of the name of an object, endpoint, gateway, client or peer; empty: all. */
  readonly object: string;
  /** Part of the line's sentence or data; empty: all. */
  readonly text: string;
}

export const EVERYTHING: Filter = { type: "", kind: "", object: "", text: "" };

export const isEverything = (filter: Filter): boolean => Object.values(filter).every((text) => text === "");

const kindOf = (line: JournalLine): string => {
  switch (line.type) {
    case "object.seen":
    case "object.gone":
      return line.data.kind;
    case "transition":
      return line.data.machine;
    case "rendered":
      return splitOutput(line.data.output).what;
    default:
      return line.type.split(".")[0] ?? "";
  }
};

/** The subjects of a line, by name. */
export const subjectsOf = (line: JournalLine): readonly string[] => {
  switch (line.type) {
    case "object.seen": {
      const { name, namespace } = line.data.object.metadata;
      return [namespace === undefined ? name : `${namespace}/${name}`];
    }
    case "object.gone":
      return [line.data.name];
    case "transition":
      return [line.data.entity];
    case "rendered":
      return [line.data.output];
    case "fold":
    case "snapshot":
      return [];
    default:
      return Object.values(line.data).filter((value): value is string => typeof value === "string");
  }
};

export const matches = (line: JournalLine, { type, kind, object, text }: Filter): boolean =>
  (type === "" || line.type.startsWith(type)) &&
  (kind === "" || kindOf(line) === kind) &&
  (object === "" || subjectsOf(line).some((subject) => subject.includes(object))) &&
  (text === "" ||
    sentence(line).toLowerCase().includes(text) ||
    JSON.stringify(line.data).toLowerCase().includes(text));

/** Kinds by which lines can be filtered, of those in `lines`. */
export const kindsIn = (lines: Iterable<JournalLine>): readonly string[] => {
  const kinds = new Set<string>();
  for (const line of lines) kinds.add(kindOf(line));
  return [...kinds].toSorted();
};
