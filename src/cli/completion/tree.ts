/** What can be completed, from the definitions of the commands. */
import type { Command, Option } from "commander";

export interface CompletedOption {
  /** `-o`, `--output`. */
  readonly names: readonly string[];
  readonly description: string;
  /** The candidates for its value; undefined: it has none. */
  readonly value: "file" | "directory" | "unknown" | readonly string[] | undefined;
}

export interface CompletedCommand {
  /** Names from the program down, without the program's: ` log slice`; empty for the program itself. */
  readonly path: string;
  readonly subcommands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
}

/** Commands whose names stand for a subcommand, by the path at which they begin. */
export const otherNames: Readonly<Record<string, string>> = {
  "kubectl-turnpike": "",
  turncat: " connect",
  stunnerd: " dataplane",
  authd: " authd",
  icetester: " icetester",
};

const FORMATS = ["table", "json", "yaml", "jsonpath="];

/** A completion is one line. */
const firstWords = (text: string): string => text.split(/[\n;(]/)[0]?.trim() ?? "";

const valueOf = (option: Option): CompletedOption["value"] => {
  if (!option.required && !option.optional) return undefined;
  if (option.argChoices !== undefined) return option.argChoices;
  if (option.long === "--output" && option.flags.includes("<format>")) return FORMATS;
  if (/<file>|<path>/.test(option.flags)) return "file";
  return option.flags.includes("<dir>") ? "directory" : "unknown";
};

/** Candidates for a first argument. */
const argumentsOf = ({ registeredArguments: [first] }: Command): CompletedCommand["subcommands"] =>
  (first?.argChoices ?? []).map((name) => ({ name, description: first?.description ?? "" }));

/** Every command, the program first. */
export const completedCommands = (command: Command, path = ""): readonly CompletedCommand[] => {
  const help = command.createHelp();
  const children = help.visibleCommands(command).filter((child) => child.name() !== "help");
  return [
    {
      path,
      subcommands: [
        ...children.map((child) => ({ name: child.name(), description: firstWords(child.description()) })),
        ...argumentsOf(command),
      ],
      options: help.visibleOptions(command).map((option) => ({
        names: [option.short, option.long].filter((name) => name !== undefined),
        description: firstWords(option.description),
        value: valueOf(option),
      })),
    },
    ...children.flatMap((child) => completedCommands(child, `${path} ${child.name()}`)),
  ];
};
