/** `-o`: the same formats, with the same names, in every command that prints. */
import { InvalidArgumentError, Option } from "commander";
import { stringify } from "yaml";
import { TurnpikeError } from "../errors.ts";

export type Format =
  | { readonly as: "table" }
  | { readonly as: "json" }
  | { readonly as: "yaml" }
  | { readonly as: "jsonpath"; readonly template: string };

export const TABLE: Format = { as: "table" };

export const parseFormat = (text: string): Format => {
  // `summary` is the name in STUNner's tools.
  if (text === "table" || text === "summary") return TABLE;
  if (text === "json" || text === "yaml") return { as: text };
  const [, template] = /^jsonpath=(.+)$/s.exec(text) ?? [];
  if (template === undefined) throw new InvalidArgumentError("expected table, json, yaml or jsonpath=TEMPLATE");
  return { as: "jsonpath", template };
};

export const outputOption = (): Option =>
  new Option("-o, --output <format>", "table, json, yaml or jsonpath=TEMPLATE")
    .argParser(parseFormat)
    .default(TABLE, "table");

/** `value` in `format`; `table` makes the text for people. @throws TurnpikeError `usage` for a bad template. */
export const render = async (format: Format, value: unknown, table: () => string): Promise<string> => {
  switch (format.as) {
    case "table":
      return table();
    case "json":
      return `${JSON.stringify(value, undefined, 2)}\n`;
    case "yaml":
      return stringify(value, { aliasDuplicateObjects: false });
    case "jsonpath": {
      const { applyTemplate } = await import("./jsonpath.ts");
      const text = applyTemplate(format.template, value);
      return text.endsWith("\n") ? text : `${text}\n`;
    }
    default:
      return format satisfies never;
  }
};

export const print = async (format: Format, value: unknown, table: () => string): Promise<void> =>
  void process.stdout.write(await render(format, value, table));

/** The check succeeded and found a problem: reported in the output, and by exit code 1. */
export const notWell = (): void => {
  process.exitCode = 1;
};

const PATIENCE_MS = 1000;

/** Reports on stderr what it waits for, if that takes more than a second. */
export const withProgress = async <T>(what: string, work: Promise<T>): Promise<T> => {
  const timer = setTimeout(() => void process.stderr.write(`${what} …\n`), PATIENCE_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
};

/** @throws TurnpikeError `usage`. */
export const refuseUsage = (why: string): never => {
  throw new TurnpikeError("usage", why);
};
