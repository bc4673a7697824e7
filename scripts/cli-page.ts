/** The page of the command line, from the definitions of the commands. */
import type { Command, Option } from "commander";
import { cell } from "./markdown.ts";

const defaultOf = ({ defaultValue, defaultValueDescription, negate }: Option): string => {
  if (negate || defaultValue === undefined || defaultValue === false) return "";
  const shown = defaultValueDescription ?? (typeof defaultValue === "object" ? "" : String(defaultValue));
  return shown === "" ? "" : `\`${shown}\``;
};

/** What `--help` would take from the environment of whoever runs it is left out. */
const optionRow = (option: Option): string =>
  `| \`${cell(option.flags)}\` | ${cell(option.description)} | ${cell(defaultOf(option))} | ${option.envVar === undefined ? "" : `\`${option.envVar}\``} |`;

const usageOf = (command: Command, path: string): string => {
  const words = command.registeredArguments.map((one) => {
    const name = one.variadic ? `${one.name()}…` : one.name();
    return one.required ? `<${name}>` : `[${name}]`;
  });
  return [path, ...(command.commands.length > 0 ? ["[command]"] : []), ...words].join(" ");
};

const sectionOf = (command: Command, path: string): string => {
  const help = command.createHelp();
  const options = help.visibleOptions(command).filter(({ long }) => long !== "--help");
  const names = command.registeredArguments.filter(({ description }) => description !== "");
  return [
    `## ${path}\n`,
    `${command.description()}\n`,
    `    ${usageOf(command, path)}\n`,
    ...(names.length === 0
      ? []
      : [
          [
            "| argument | |",
            "|---|---|",
            ...names.map((one) => `| \`${one.name()}\` | ${cell(one.description)} |`),
            "",
          ].join("\n"),
        ]),
    ...(options.length === 0
      ? []
      : [["| option | | default | environment |", "|---|---|---|---|", ...options.map(optionRow), ""].join("\n")]),
  ].join("\n");
};

const sectionsOf = (command: Command, path: string): readonly string[] =>
  help(command).flatMap((child) => [
    sectionOf(child, `${path} ${child.name()}`),
    ...sectionsOf(child, `${path} ${child.name()}`),
  ]);

const help = (command: Command): readonly Command[] =>
  command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== "help");

export const cliPage = (program: Command): string => `# Command line

\`turnpike --help\` and \`turnpike COMMAND --help\` say the same. What the tools are good for: [guide](../guides/tools.md).

Exit codes: 0 all is well; 1 something is not, was not found, or could not be reached; 2 the command was called with wrong
arguments. Results go to standard output; messages, and what is waited for when it takes more than a second, to standard error.
An error has a [code](errors.md) behind its message.

\`-o\` takes \`table\` (\`summary\` is the same), \`json\`, \`yaml\` and \`jsonpath=TEMPLATE\`. A template is as kubectl's: text, \`{.a.b[0]}\`,
\`{range .items[*]}…{end}\`, \`{"\\n"}\`, filters (\`{.listeners[?(@.port==443)].name}\`). What is missing is \`<none>\`, and several
results of one path stand with a space between them.

${sectionsOf(program, "turnpike").join("\n")}
## Other names

| name | is |
|---|---|
| \`stunnerd\` | \`turnpike dataplane\` |
| \`turncat\` | \`turnpike connect\` |
| \`authd\` | \`turnpike authd\` |
| \`icetester\` | \`turnpike icetester\` |
| \`stunnerctl\` | \`config\`, \`status\`, \`auth\`, \`icetest\` and \`license\` with STUNner's flags |
| \`kubectl turnpike\` | \`turnpike\`, where \`kubectl-turnpike\` is on the PATH |
`;
