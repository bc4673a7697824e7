/** The completion of fish. */
import { otherNames, type CompletedCommand } from "./tree.ts";

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

const optionLine = (path: string, { names, description, value }: CompletedCommand["options"][number]): string => {
  const flags = names.map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const rest =
    value === undefined
      ? ""
      : value === "file" || value === "directory"
        ? " -r -F"
        : value === "unknown"
          ? " -x"
          : ` -x -a ${quoted(value.join(" "))}`;
  return `-n ${quoted(`__turnpike_at ${quoted(path)}`)} ${flags.join(" ")}${rest} -d ${quoted(description)}`;
};

export const fishCompletion = (commands: readonly CompletedCommand[]): string => {
  const paths = commands.filter(({ path }) => path !== "").map(({ path }) => `            case ${quoted(path)}`);
  const rules = commands.flatMap(({ path, subcommands, options }) => [
    ...subcommands.map(
      ({ name, description }) =>
        `-n ${quoted(`__turnpike_at ${quoted(path)}`)} -f -a ${quoted(name)} -d ${quoted(description)}`,
    ),
    ...options.map((option) => optionLine(path, option)),
  ]);
  const names = ["turnpike", ...Object.keys(otherNames)];
  return `# fish completion of turnpike: turnpike completion fish | source
function __turnpike_at
    set -l words (commandline -opc)
    set -l path ''
    switch (basename $words[1])
${Object.entries(otherNames)
  .map(([name, path]) => `        case ${name}\n            set path ${quoted(path)}\n`)
  .join("")}    end
    for word in $words[2..-1]
        switch "$path $word"
${paths.map((line) => `${line}\n                set path "$path $word"`).join("\n")}
        end
    end
    test "$path" = $argv[1]
end
for name in ${names.join(" ")}
${rules.map((rule) => `    complete -c $name ${rule}`).join("\n")}
end
`;
};
