/** The reference of environment variables names what the program reads, and nothing else. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { variables } from "../../scripts/environment-page.ts";

const source = fileURLToPath(new URL("../../src", import.meta.url));
const text = readdirSync(source, { recursive: true })
  .map((name) => String(name))
  .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
  .map((name) => readFileSync(join(source, name), "utf8"))
  .join("\n");

const NAMES =
  /(?:process\.env|env(?:ironment)?)(?:\.|\[")((?:STUNNER|TURNPIKE|ICE|WHIP|POD|BEARER)_[A-Z_]+)|\.env\("([A-Z_]+)"\)|\benv\("([A-Z_]+)"\)/g;

it("is complete", () => {
  const read = [...text.matchAll(NAMES)].map(
    ([, plain, option, operator]) => plain ?? option ?? `STUNNER_GATEWAY_OPERATOR_${operator}`,
  );
  expect(new Set(read).size).toBeGreaterThan(12);
  expect([...new Set(read)].filter((name) => !(name in variables))).toEqual([]);
});

it("names none that nobody reads", () => {
  const suffixOf = (name: string): string => name.replace("STUNNER_GATEWAY_OPERATOR_", "");
  const unread = Object.keys(variables).filter(
    (name) => !text.includes(name) && !text.includes(`env("${suffixOf(name)}")`),
  );
  expect(unread).toEqual([]);
});
