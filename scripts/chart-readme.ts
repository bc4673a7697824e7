/** The README of the chart, from the comments in its `values.yaml`. */
import { parse } from "yaml";
import { cell } from "./markdown.ts";

interface Value {
  readonly path: string;
  readonly about: string;
  readonly standard: unknown;
}

/** Longer ones are read where they stand. */
const LONGEST = 60;

const at = (values: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((one, key) => (one as Readonly<Record<string, unknown>> | undefined)?.[key], values);

const isBranch = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;

/** A key with a comment is one entry; a key without, one for each key below it. */
export const valuesOf = (text: string): readonly Value[] => {
  const values: unknown = parse(text);
  const found: Value[] = [];
  let path: readonly string[] = [];
  let comment: string[] = [];
  let whole = Number.POSITIVE_INFINITY;
  for (const line of text.split("\n")) {
    const [, spaces = "", note, key] = /^( *)(?:# ?(?:-- )?(.*)|([A-Za-z]\w*):.*)$/.exec(line) ?? [];
    const depth = spaces.length / 2;
    if (note !== undefined) comment.push(note);
    if (key === undefined || depth > whole) {
      if (note === undefined && key !== undefined) comment = [];
      continue;
    }
    path = [...path.slice(0, depth), key];
    const standard = at(values, path);
    const isWhole = comment.length > 0 || !isBranch(standard);
    whole = isWhole ? depth : Number.POSITIVE_INFINITY;
    if (isWhole) found.push({ path: path.join("."), about: comment.join(" "), standard });
    comment = [];
  }
  return found;
};

const row = ({ path, about, standard }: Value): string => {
  const json = JSON.stringify(standard);
  const shown = json.length > LONGEST ? "see [values.yaml](values.yaml)" : `\`${json}\``;
  return `| \`${path}\` | ${shown} | ${cell(about)} |`;
};

export const chartReadme = (values: string): string => `# The chart

    helm install turnpike deploy/helm/turnpike --namespace turnpike-system --create-namespace

How to install, upgrade and remove it, alone, as part of another chart or twice, and how to move from STUNner, is in
[docs/guides/install.md](../../../docs/guides/install.md).

Every value is checked (\`values.schema.json\`): a name that does not exist is refused. This page is written from the comments
of \`values.yaml\` by \`npm run chart\`.

| value | default | |
|---|---|---|
${valuesOf(values).map(row).join("\n")}
`;
