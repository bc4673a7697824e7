/** The completion of bash. */
import { otherNames, type CompletedCommand } from "./tree.ts";

const quoted = (text: string): string => `"${text}"`;

const answerOf = (value: NonNullable<CompletedCommand["options"][number]["value"]>): string => {
  if (value === "file") return 'mapfile -t COMPREPLY < <(compgen -f -- "$cur")';
  if (value === "directory") return 'mapfile -t COMPREPLY < <(compgen -d -- "$cur")';
  // Free-form values are not completed.
  return value === "unknown" ? "" : `mapfile -t COMPREPLY < <(compgen -W ${quoted(value.join(" "))} -- "$cur")`;
};

export const bashCompletion = (commands: readonly CompletedCommand[]): string => {
  const paths = commands
    .filter(({ path }) => path !== "")
    .map(({ path }) => `${quoted(path)}) path=${quoted(path)} ;;`);
  const values = commands.flatMap(({ path, options }) =>
    options.flatMap(({ names, value }) =>
      value === undefined
        ? []
        : [
            `${names.map((name) => quoted(`${path} ${name}`)).join(" | ")}) ${answerOf(value)}; return ;;`.replace(
              ") ; return",
              ") return",
            ),
          ],
    ),
  );
  const words = commands.map(
    ({ path, subcommands, options }) =>
      `${quoted(path)}) commands=${quoted(subcommands.map(({ name }) => name).join(" "))} options=${quoted(options.flatMap(({ names }) => names).join(" "))} ;;`,
  );
  const others = Object.entries(otherNames).map(([name, path]) => `${name}) path=${quoted(path)} ;;`);
  const lines = (all: readonly string[], indent: string): string => all.map((line) => `${indent}${line}\n`).join("");
  return `# bash completion of turnpike: source <(turnpike completion bash)
_turnpike() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} path= commands= options= i
  case \${COMP_WORDS[0]##*/} in
${lines(others, "    ")}  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
${lines(paths, "      ")}    esac
  done
  COMPREPLY=()
  case "$path $prev" in
${lines(values, "    ")}  esac
  case "$path" in
${lines(words, "    ")}  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
  elif [[ -n $commands ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
  fi
}
complete -o bashdefault -o default -F _turnpike turnpike ${Object.keys(otherNames).join(" ")}
`;
};
