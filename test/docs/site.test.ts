/** The documentation as a site: every link leads somewhere, diagrams are drawn and the search finds pages, without any network. */
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildSite } from "../../scripts/site/build.ts";
import { openSite, type Site } from "./site.ts";

let site: Site;
let written: readonly string[];
beforeAll(async () => {
  site = await openSite((folder) => {
    written = buildSite(folder);
  });
});
afterAll(() => site.close());

const attributes = (html: string): readonly string[] =>
  [...html.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, value = ""]) => value.replaceAll("&amp;", "&"));

it("has no link to nowhere", () => {
  const dead = written.flatMap((page) =>
    attributes(site.read(page))
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [path = "", anchor] = link.split("#");
        const file = path === "" ? page : join(dirname(page), decodeURI(path));
        if (!existsSync(join(site.folder, file)) || !statSync(join(site.folder, file)).isFile()) return true;
        return anchor !== undefined && file.endsWith(".html") && !site.read(file).includes(`id="${anchor}"`);
      })
      .map((link) => `${page}: ${link}`),
  );
  expect(written.length).toBeGreaterThan(40);
  expect(dead).toEqual([]);
});

it("loads nothing from elsewhere", () => {
  for (const page of written) {
    const loaded = [...site.read(page).matchAll(/<(?:script|link|img)[^>]*(?:href|src)="([^"]*)"/g)];
    for (const [, link] of loaded) expect(link).not.toMatch(/^[a-z]+:/);
  }
});

it("shows pages and draws diagrams in a browser, from files", () =>
  site.onPage("index.html", async (page) => {
    await page.locator("pre.mermaid svg").first().waitFor();
    await page.getByRole("navigation").getByRole("link", { name: "State machines" }).click();
    await expect.poll(() => page.locator("pre.mermaid svg").count()).toBeGreaterThan(3);
  }));

describe("the search", () => {
  it.each([
    ["firewall ports", "docs/faq.html#which-ports-must-the-firewall-open"],
    ["why is my peer refused", "docs/guides/refused.html"],
    ["sizing", "docs/guides/scaling.html"],
    ["report a vulnerability", "SECURITY.html#report-a-vulnerability"],
    ["moving from stunner", "docs/guides/moving-from-stunner.html"],
    // By the beginning of a word, by a word of the text, and misspelled.
    ["troubl", "docs/guides/troubleshooting.html"],
    ["slowloris", "docs/security.html"],
    ["firewal", "docs/faq.html#which-ports-must-the-firewall-open"],
    ["refsued", "docs/guides/refused.html"],
  ])("finds: %s", (query, expected) =>
    site.onPage("docs/guides/replay.html", async (page) => {
      await page.getByRole("combobox", { name: "Search" }).fill(query);
      await page.getByRole("option").first().waitFor();
      const links = await page
        .getByRole("option")
        .evaluateAll((all) => all.map((one) => one.getAttribute("href") ?? ""));
      expect(links.slice(0, 3).map((link) => link.replace(site.urlOf("/"), ""))).toContain(expected);
    }),
  );

  it("is used with the keyboard alone", () =>
    site.onPage("docs/faq.html", async (page) => {
      const box = page.getByRole("combobox", { name: "Search" });
      const selected = page.getByRole("option", { selected: true });
      await page.keyboard.press("/");
      expect(await box.evaluate((element) => element.matches(":focus"))).toBe(true);
      await page.keyboard.type("vulnerability");
      await page.getByRole("option").first().waitFor();
      expect(await page.getByRole("status").textContent()).toMatch(/^\d results$/);
      await page.keyboard.press("ArrowDown");
      const first = await selected.textContent();
      await page.keyboard.press("ArrowDown");
      expect(await selected.textContent()).not.toBe(first);
      expect(await box.getAttribute("aria-activedescendant")).toBe(await selected.getAttribute("id"));
      await page.keyboard.press("ArrowUp");
      expect(await selected.textContent()).toBe(first);
      await page.keyboard.press("Escape");
      expect(await page.getByRole("option").count()).toBe(0);
      await page.keyboard.type(" report");
      await expect.poll(() => page.getByRole("option").first().textContent()).toContain("Report a vulnerability");
      await page.keyboard.press("Enter");
      await page.waitForURL(/SECURITY\.html#report-a-vulnerability$/);
    }));

  it("shows the page, the heading and the matching text, and that nothing is found", () =>
    site.onPage("index.html", async (page) => {
      const box = page.getByRole("combobox", { name: "Search" });
      await box.fill("slowloris");
      await expect
        .poll(() => page.getByRole("option").first().textContent())
        .toMatch(/^Security of the relay.*slowloris/);
      expect(await page.locator("#search-results mark").first().textContent()).toBe("slowloris");
      await box.fill("zzzzzzzz");
      await expect.poll(() => page.getByRole("status").textContent()).toBe("no results");
    }));
});
