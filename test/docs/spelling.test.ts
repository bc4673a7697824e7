/** The spelling check finds misspelled words and American spelling, and accepts code and names. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "../../scripts/site/pages.ts";

const words = readFileSync(join(root, ".cspell/words.txt"), "utf8").trimEnd().split("\n");

/** Words of `markdown` that `npm run spell` reports. */
const misspelledIn = (markdown: string): readonly string[] => {
  const options = ["lint", "stdin", "--language-id=markdown", "--no-progress", "--no-summary", "--words-only"];
  const { stdout, status, error } = spawnSync(join(root, "node_modules/.bin/cspell"), options, {
    cwd: root,
    input: markdown,
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  const found = stdout.split("\n").filter((line) => line !== "");
  expect(status).toBe(found.length === 0 ? 0 : 1);
  return found;
};

it("finds misspelled words and American spelling, also in tables", () => {
  const text = "A listner denies peers.\n\n| field | behavior |\n|---|---|\n| a | it recognizes nothing |\n";
  expect(misspelledIn(text)).toEqual(["listner", "behavior", "recognizes"]);
});

it("accepts code, links and the words of the project", () => {
  const code = "`lissten`:\n\n    turnpike lissten\n\n```sh\nlissten\n```\n\n[a licence](guides/lissten.md)\n";
  expect(misspelledIn(`${code}\n${words.join(", ")}\n`)).toEqual([]);
});

it("has a sorted list of words, each once", () => {
  expect(words.length).toBeGreaterThan(20);
  expect(words).toEqual([...new Set(words)].toSorted());
});
