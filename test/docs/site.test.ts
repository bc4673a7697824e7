/** The documentation as a site: it builds, every link of it leads somewhere, and its diagrams are drawn, without any network. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildSite } from "../../scripts/site/build.ts";
import { openBrowser } from "../support/browser.ts";
import { PATIENCE_MS } from "../support/patience.ts";

let out: string;
let written: readonly string[];
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), "turnpike-site-"));
  written = buildSite(out);
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

const read = (path: string): string => readFileSync(join(out, path), "utf8");
const attributes = (html: string): readonly string[] =>
  [...html.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, value = ""]) => value.replaceAll("&amp;", "&"));

it("has no link to nowhere", () => {
  const dead = written.flatMap((page) =>
    attributes(read(page))
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [path = "", anchor] = link.split("#");
        const file = path === "" ? page : join(dirname(page), decodeURI(path));
        if (!existsSync(join(out, file)) || !statSync(join(out, file)).isFile()) return true;
        return anchor !== undefined && file.endsWith(".html") && !read(file).includes(`id="${anchor}"`);
      })
      .map((link) => `${page}: ${link}`),
  );
  expect(written.length).toBeGreaterThan(40);
  expect(dead).toEqual([]);
});

it("loads nothing from elsewhere", () => {
  for (const page of written) {
    const loaded = [...read(page).matchAll(/<(?:script|link|img)[^>]*(?:href|src)="([^"]*)"/g)];
    for (const [, link] of loaded) expect(link).not.toMatch(/^[a-z]+:/);
  }
});

it("shows pages and draws diagrams in a browser, from files", async () => {
  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith("file:")) problems.push(request.url());
    });
    await page.goto(pathToFileURL(join(out, "index.html")).href);
    await page.locator("pre.mermaid svg").first().waitFor({ timeout: PATIENCE_MS });
    await page.getByRole("navigation").getByRole("link", { name: "State machines" }).click();
    await expect.poll(() => page.locator("pre.mermaid svg").count()).toBeGreaterThan(3);
    expect(problems).toEqual([]);
  } finally {
    await browser.close();
  }
});
