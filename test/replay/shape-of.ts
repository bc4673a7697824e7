/** The shapes of the lines of the log, as their types are written: without comments, whatever their layout. */
import { readFileSync } from "node:fs";

const source = (path: string): string =>
  readFileSync(new URL(`../../src/${path}`, import.meta.url), "utf8")
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/\/\/.*$/gm, "");

const compact = (text: string): string =>
  text
    .replaceAll(/\s+/g, " ")
    .replaceAll("readonly ", "")
    .replaceAll(/([;,]) ?([}\])])/g, " $2")
    .replaceAll(/ ?([{}|:;,?=<>()[\]]) ?/g, "$1")
    .trim();

/** From `at`, up to `end` outside of all brackets. */
const upTo = (text: string, at: number, ends: string): string => {
  let depth = 0;
  for (let i = at; i < text.length; i += 1) {
    const c = text.charAt(i);
    if (depth === 0 && ends.includes(c)) return text.slice(at, i);
    if ("{[(".includes(c)) depth += 1;
    if ("}])".includes(c)) depth -= 1;
  }
  return text.slice(at);
};

/** The members of a union, by their `type`. */
const union = (text: string, name: string): readonly (readonly [string, string])[] => {
  const whole = upTo(text, text.indexOf("=", text.indexOf(`type ${name} =`)) + 1, ";");
  const members: string[] = [];
  for (let at = 0; at < whole.length;) {
    const member = upTo(whole, at, "|");
    at += member.length + 1;
    if (member.trim() !== "") members.push(compact(member));
  }
  return members.flatMap((member) => {
    const types = /^\{type:((?:"[^"]+"\|?)+)/.exec(member)?.[1] ?? "";
    return [...types.matchAll(/"([^"]+)"/g)].map(([, type = ""]) => [type, member] as const);
  });
};

const record = (text: string, name: string): readonly [string, string] => {
  const at = text.indexOf("{", text.indexOf(`interface ${name} {`));
  return [name, compact(`{${upTo(text, at + 1, "}")}}`)];
};

export const shapesOfToday = (): Readonly<Record<string, string>> => {
  const fact = source("journal/fact.ts");
  return Object.fromEntries([
    record(fact, "Envelope"),
    ...union(fact, "Fact"),
    ...union(fact, "Derivation"),
    record(fact, "Rejection"),
    record(fact, "AllocationSummary"),
    record(source("resources/view.ts"), "RenderOptions"),
    record(source("core/core.ts"), "CoreSnapshot"),
  ]);
};
