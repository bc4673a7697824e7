/** The completion of zsh. */
import { otherNames, type CompletedCommand } from "./tree.ts";

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** In the form that `_describe` takes: `NAME:DESCRIPTION`. */
const described = (name: string, description: string): string =>
  quoted(`${name.replaceAll(":", "\\:")}:${description}`);

const answerOf = (value: NonNullable<CompletedCommand["options"][number]["value"]>): string => {
  if (value === "file") return "_files; ";
  if (value === "directory") return "_files -/; ";
  return value === "unknown" ? "" : `choices=(${value.map(quoted).join(" ")}); _describe value choices; `;
};

export const zshCompletion = (commands: readonly CompletedCommand[]): string => {
  const lines = (all: readonly string[], indent: string): string => all.map((line) => `${indent}${line}\n`).join("");
  const paths = commands.filter(({ path }) => path !== "").map(({ path }) => `${quoted(path)}) at=${quoted(path)} ;;`);
  const values = commands.flatMap(({ path, options }) =>
    options.flatMap(({ names, value }) =>
      value === undefined
        ? []
        : [`${names.map((name) => quoted(`${path} ${name}`)).join(" | ")}) ${answerOf(value)}return ;;`],
    ),
  );
  const words = commands.map(
    ({ path, subcommands, options }) =>
      `${quoted(path)}) commands=(${subcommands.map(({ name, description }) => described(name, description)).join(" ")}) options=(${options.flatMap(({ names, description }) => names.map((name) => described(name, description))).join(" ")}) ;;`,
  );
  const others = Object.entries(otherNames).map(([name, path]) => `${name}) at=${quoted(path)} ;;`);
  return `#compdef turnpike ${Object.keys(otherNames).join(" ")}
# zsh completion of turnpike: source <(turnpike completion zsh), or put it into a file _turnpike on the fpath
_turnpike() {
  local at= i
  local -a commands options choices
  case \${words[1]:t} in
${lines(others, "    ")}  esac
  for ((i = 2; i < CURRENT; i++)); do
    case "$at \${words[i]}" in
${lines(paths, "      ")}    esac
  done
  case "$at \${words[CURRENT - 1]}" in
${lines(values, "    ")}  esac
  case "$at" in
${lines(words, "    ")}  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe -o option options
  elif ((\${#commands})); then
    _describe command commands
  else
    _files
  fi
}
if [[ \${funcstack[1]} == _turnpike ]]; then
  _turnpike "$@"
else
  compdef _turnpike turnpike ${Object.keys(otherNames).join(" ")}
fi
`;
};
