import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { referencePages } from "../scripts/reference-docs.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const pages = [
  "README.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs"), { recursive: true }).map((name) => join("docs", String(name))),
].filter((path) => path.endsWith(".md"));

describe("the documentation", () => {
  it.each(Object.entries(referencePages))(
    "has docs/reference/%s as the code says (npm run docs writes it)",
    (name, text) => {
      expect(read(`docs/reference/${name}`)).toBe(text);
    },
  );

  it("describes every event of the log, and no other", () => {
    const facts = read("src/journal/fact.ts");
    const types = new Set(
      [...facts.matchAll(/"([a-z]+(?:\.[a-z]+)?)"(?=;| \||\s*;)/g)]
        .map(([, type]) => type!)
        .filter((type) => type.includes(".") || ["transition", "fold", "rendered", "snapshot"].includes(type)),
    );
    const documented = new Set(
      [...read("docs/reference/events.md").matchAll(/^\| `([a-z.]+)`/gm)].map(([, type]) => type!),
    );
    expect(types.size).toBeGreaterThan(20);
    expect([...documented].toSorted()).toEqual([...types].toSorted());
  });

  it.each(pages)("has no dead link in %s", (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, target]) => target!);
    const dead = links.filter((target) => !existsSync(join(root, dirname(page), target)));
    expect(dead.map((target) => relative(root, join(dirname(page), target)))).toEqual([]);
  });

  it("lists every runtime dependency with its reason", () => {
    const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };
    const page = read("docs/dependencies.md");
    expect(Object.keys(dependencies).filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });
});
