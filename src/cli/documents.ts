/** Several values as STUNner's tools print them: one document each, where `output.ts` prints one list. */
import { stringify } from "yaml";
import { applyTemplate } from "./jsonpath.ts";
import type { Format } from "./output.ts";

/** One document: a line of JSON, a YAML document after `---` unless it is the first, or a filled template. */
const renderDocument = (
  format: Exclude<Format, { readonly as: "table" }>,
  value: unknown,
  isFirst: boolean,
): string => {
  switch (format.as) {
    case "json":
      return `${JSON.stringify(value)}\n`;
    case "yaml":
      return `${isFirst ? "" : "---\n"}${stringify(value, { aliasDuplicateObjects: false })}`;
    case "jsonpath": {
      const text = applyTemplate(format.template, value, { between: "", missing: "refuse" });
      return text.endsWith("\n") ? text : `${text}\n`;
    }
    default:
      return format satisfies never;
  }
};

export interface DocumentWriter {
  /** `table` makes the text for people. @throws TurnpikeError `usage` for a bad template, `field-missing`. */
  write(value: unknown, table: () => string): void;
}

export const documentWriter = (
  format: Format,
  out: (text: string) => void = (text) => void process.stdout.write(text),
): DocumentWriter => {
  let isFirst = true;
  return {
    write(value, table) {
      out(format.as === "table" ? table() : renderDocument(format, value, isFirst));
      isFirst = false;
    },
  };
};
