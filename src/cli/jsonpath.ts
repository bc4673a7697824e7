/**
 * Templates in the syntax of `kubectl -o jsonpath=`: text, `{.a.b[0]}`, `{range .items[*]}…{end}`, `{"\n"}`. JSONPath is
 * that of `jsonpath-plus`, including filters, evaluated without JavaScript's `eval`.
 */
import { JSONPath } from "jsonpath-plus";
import { messageOf, TurnpikeError } from "../errors.ts";

type Part =
  | { readonly text: string }
  | { readonly path: string }
  | { readonly range: string; readonly body: readonly Part[] };

const MISSING = "<none>";

const refuse = (why: string): never => {
  throw new TurnpikeError("usage", `jsonpath: ${why}`);
};

/** Position of the brace that closes the one at `from`: braces in quotes and in inner brackets do not count. */
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

/** @throws TurnpikeError `usage` for a template that cannot be parsed. */
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

/** `.a`, `a`, `$.a`, `@.a` and `@` are the same to kubectl: all begin at the current value. */
const rooted = (path: string): string => {
  const rest = path.replace(/^[@$]/, "");
  return rest === "" || rest.startsWith(".") || rest.startsWith("[") ? `$${rest}` : `$.${rest}`;
};

const find = (path: string, value: unknown): readonly unknown[] => {
  try {
    return JSONPath({ path: rooted(path), json: value as object, eval: "safe", wrap: true }) as readonly unknown[];
  } catch (error) {
    return refuse(`${path}: ${messageOf(error)}`);
  }
};

const isSelection = (segment: string): boolean => segment === "*" || segment.startsWith("?") || segment.includes(":");

/**
 * The first name or index of `path` that selects nothing in `value`. Wildcards, filters and slices may select
 * nothing; a name after one that does is missing.
 */
const missingSegment = (path: string, value: unknown): string | undefined => {
  const segments = JSONPath.toPathArray(rooted(path));
  const emptyAt = segments.findIndex(
    (_, at) => find(JSONPath.toPathString(segments.slice(0, at + 1)), value).length === 0,
  );
  return emptyAt < 0 ? undefined : segments.slice(emptyAt).find((segment) => !isSelection(segment));
};

const show = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

export interface TemplateOptions {
  /** Separator between several results of one path; a space by default. */
  readonly between?: string;
  /** A missing field prints `<none>` (the default), or fails. */
  readonly missing?: "none" | "refuse";
}

const fill = (parts: readonly Part[], value: unknown, options: TemplateOptions): string => {
  const found = (path: string): readonly unknown[] => {
    const results = find(path, value);
    const missing = results.length === 0 && options.missing === "refuse" ? missingSegment(path, value) : undefined;
    if (missing === undefined) return results;
    throw new TurnpikeError("field-missing", `jsonpath ${JSON.stringify(path)}: ${missing} is not found`);
  };
  return parts
    .map((part) => {
      if ("text" in part) return part.text;
      if ("range" in part)
        return found(part.range)
          .map((item) => fill(part.body, item, options))
          .join("");
      const results = found(part.path);
      return results.length === 0 ? MISSING : results.map(show).join(options.between ?? " ");
    })
    .join("");
};

/** `template` filled from `value`. @throws TurnpikeError `usage` for a bad template, `field-missing`. */
export const applyTemplate = (template: string, value: unknown, options: TemplateOptions = {}): string =>
  fill(parseTemplate(template), value, options);
