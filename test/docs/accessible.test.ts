/** Every page of the site is accessible: axe finds nothing, in either colour scheme, and no page is wider than a telephone. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildSite } from "../../scripts/site/build.ts";
import { targetOf } from "../../scripts/site/markdown.ts";
import { pages as sources } from "../../scripts/site/pages.ts";
import { openSite, type Site } from "./site.ts";

const TELEPHONE = { width: 390, height: 800 };
const SAMPLES = [
  "index.html",
  "docs/faq.html",
  "docs/reference/machines.html",
  "docs/reference/resources.html",
  "docs/guides/platforms/README.html",
];

/** All, and one of the lists of files, which differ only in the names. */
const pages = [...sources.map(targetOf), "src/lint/index.html"];

let site: Site;
beforeAll(async () => {
  site = await openSite((folder) => buildSite(folder));
});
afterAll(() => site.close());

const drawn = async (page: Page): Promise<void> => {
  for (const diagram of await page.locator("pre.mermaid").all()) await diagram.locator("svg").waitFor();
};

/** `RULE: ELEMENT` for each violation. */
const violations = async (page: Page, only: readonly string[]): Promise<readonly string[]> => {
  await drawn(page);
  if ((await page.evaluate<string>("typeof axe")) === "undefined") await page.evaluate(axe.source);
  return page.evaluate<readonly string[]>(
    `axe.run(document, { resultTypes: ["violations"], runOnly: ${JSON.stringify(only)} }).then(({ violations }) =>
      violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ": " + html.slice(0, 200))))`,
  );
};
const ALL = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];

it.each(pages)("has no violations, and fits on a telephone: %s", (path) =>
  site.onPage(path, async (page) => {
    expect(await violations(page, ALL)).toEqual([]);
    // Beside the style sheet, which all pages share, diagrams alone have colours.
    if (SAMPLES.includes(path) || (await page.locator("pre.mermaid").count()) > 0) {
      await page.emulateMedia({ colorScheme: "dark" });
      // They take those of the time at which they are drawn.
      await page.reload();
      expect(await violations(page, ["color-contrast"])).toEqual([]);
    }
    await page.setViewportSize(TELEPHONE);
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(TELEPHONE.width);
  }),
);

it.each(SAMPLES)("has no violations on a telephone: %s", (path) =>
  site.onPage(path, async (page) => expect(await violations(page, ALL)).toEqual([]), { viewport: TELEPHONE }),
);

it("has no violations while results of a search are shown", () =>
  site.onPage("docs/faq.html", async (page) => {
    await page.getByRole("combobox", { name: "Search" }).fill("ports");
    await page.getByRole("option").first().waitFor();
    await page.keyboard.press("ArrowDown");
    expect(await violations(page, ALL)).toEqual([]);
  }));

it("finds violations in a page that has some", async () => {
  const text = site
    .read("docs/faq.html")
    .replace('<html lang="en">', "<html>")
    .replace("</h1>", '</h1><h4 style="color: #999; background: #aaa">A heading</h4><img src="x.png">');
  writeFileSync(join(site.folder, "docs/planted.html"), text);
  await site.onPage("docs/planted.html", async (page) => {
    const rules = new Set((await violations(page, ALL)).map((one) => one.split(":")[0]));
    expect([...rules].toSorted()).toEqual(["color-contrast", "heading-order", "html-has-lang", "image-alt"]);
  });
});

it("lets the keyboard skip to the text, and shows where the focus is", () =>
  site.onPage("docs/faq.html", async (page) => {
    await page.keyboard.press("Tab");
    const skip = page.getByRole("link", { name: "Skip to the text" });
    expect(await skip.evaluate((link) => link.matches(":focus-visible"))).toBe(true);
    expect((await skip.boundingBox())?.y).toBe(0);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    const focused = page.locator("main a").first();
    expect(await focused.evaluate((link) => link.matches(":focus-visible"))).toBe(true);
    expect(await focused.evaluate((link) => link.computedStyleMap().get("outline-style")?.toString())).toBe("solid");
  }));

it("gives every page a language, a title of its own and a description", () => {
  const titles = pages.map((path) => {
    const text = site.read(path);
    expect(text, path).toContain('<html lang="en">');
    expect(/<meta name="description" content="([^"]{20,170})">/.exec(text), path).not.toBeNull();
    return /<title>([^<]+)<\/title>/.exec(text)?.[1] ?? path;
  });
  expect(titles.filter((title, place) => titles.indexOf(title) !== place)).toEqual([]);
});
