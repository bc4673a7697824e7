/**
 * Templates as `kubectl -o jsonpath=` takes them: text, `{.a.b[0]}`, `{range .items[*]}…{end}`, `{"\n"}`. Of JSONPath it is what
 * `jsonpath-plus` knows, filters included, evaluated without JavaScript's `eval`.
 */
import { JSONPath } from "jsonpath-plus";
import { TurnpikeError } from "../errors.ts";

type Part =
  | { readonly text: string }
  | { readonly path: string }
  | { readonly range: string; readonly body: readonly Part[] };

const MISSING = "<none>";

const refuse = (why: string): never => {
  throw new TurnpikeError("usage", `jsonpath: ${why}`);
};

/** Where the brace that is open at `from` closes: those in quotes and in inner brackets do not count. */
const closingBrace = (template: string, from: number): number => {
  let quote = "";
  for (let at = from; at < template.length; at += 1) {
    const character = template[at] ?? "";
    if (character === "\\") at += 1;
    else if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === "}") return at;
  }
  return refuse(`a { is not closed in ${JSON.stringify(template)}`);
};

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

const literal = (quoted: string): string =>
  quoted.slice(1, -1).replaceAll(/\\(.)/gs, (_, character: string) => escapes[character] ?? character);

interface Open {
  readonly range: string;
  readonly body: Part[];
}

/** @throws TurnpikeError `usage` at a template that cannot be understood. */
export const parseTemplate = (template: string): readonly Part[] => {
  const open: Open[] = [{ range: "", body: [] }];
  const add = (part: Part): void => void open.at(-1)?.body.push(part);
  for (let at = 0; at < template.length;) {
    const brace = template.indexOf("{", at);
    if (brace !== at) add({ text: template.slice(at, brace < 0 ? template.length : brace) });
    if (brace < 0) break;
    const end = closingBrace(template, brace + 1);
    const inside = template.slice(brace + 1, end).trim();
    at = end + 1;
    if (inside === "") refuse("{} names nothing");
    else if (inside === "end") {
      const closed = open.length > 1 ? open.pop() : undefined;
      if (closed === undefined) refuse("{end} without {range …}");
      else add({ range: closed.range, body: closed.body });
    } else if (/^range\s/.test(inside)) open.push({ range: inside.slice(6).trim(), body: [] });
    else if (/^(".*"|'.*')$/s.test(inside)) add({ text: literal(inside) });
    else add({ path: inside });
  }
  if (open.length > 1) refuse("{range …} without {end}");
  return open[0]?.body ?? [];
};

/** `.a`, `a`, `$.a`, `@.a` and `@` are the same to kubectl: all begin at the value at hand. */
const rooted = (path: string): string => {
  const rest = path.replace(/^[@$]/, "");
  return rest === "" || rest.startsWith(".") || rest.startsWith("[") ? `$${rest}` : `$.${rest}`;
};

const find = (path: string, value: unknown): readonly unknown[] => {
  try {
    return JSONPath({ path: rooted(path), json: value as object, eval: "safe", wrap: true }) as readonly unknown[];
  } catch (error) {
    return refuse(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
};

const show = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

const fill = (parts: readonly Part[], value: unknown, between: string): string =>
  parts
    .map((part) => {
      if ("text" in part) return part.text;
      if ("range" in part)
        return find(part.range, value)
          .map((item) => fill(part.body, item, between))
          .join("");
      const found = find(part.path, value);
      return found.length === 0 ? MISSING : found.map(show).join(between);
    })
    .join("");

/** `value` in the words of `template`. What is missing is `<none>`; several results of one path stand with `between` between them. */
export const applyTemplate = (template: string, value: unknown, between = " "): string =>
  fill(parseTemplate(template), value, between);
