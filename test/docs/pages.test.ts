import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { referencePages } from "../../scripts/reference-docs.ts";
import { anchorsOf, linksOf } from "../../scripts/site/links.ts";
import { INDEX, pages, readPage as read, root } from "../../scripts/site/pages.ts";

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
    const links = linksOf(read(page)).flatMap(({ file }) => (file === "" ? [] : [file]));
    const dead = links.filter((target) => !existsSync(join(root, dirname(page), target)));
    expect(dead.map((target) => relative(root, join(dirname(page), target)))).toEqual([]);
  });

  it.each(pages)("leads to headings that are there, in %s", (page) => {
    const dead = linksOf(read(page)).filter(({ file, anchor }) => {
      const there = file === "" ? page : join(dirname(page), file);
      return anchor !== undefined && there.endsWith(".md") && !anchorsOf(read(there)).has(anchor);
    });
    expect(dead).toEqual([]);
  });

  it("has every page in the index", () => {
    const linked = new Set(linksOf(read(INDEX)).map(({ file }) => join(dirname(INDEX), file)));
    const lost = pages.filter((page) => page !== INDEX && !page.startsWith("docs/decisions/0") && !linked.has(page));
    expect(lost).toEqual([]);
  });

  it("lists every runtime dependency with its reason", () => {
    const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };
    const page = read("docs/dependencies.md");
    expect(Object.keys(dependencies).filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });
});
