/** Sites of two versions in one folder lead to each other, from files. The two are built from the same sources. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeSite } from "../../scripts/release.ts";
import { addVersion, buildSite } from "../../scripts/site/build.ts";
import { listVersions, seriesOf } from "../../scripts/site/versions.ts";
import { openSite, type Site } from "./site.ts";

const REMOVED = "docs/guides/offload.html";

let site: Site;
beforeAll(async () => {
  site = await openSite((folder) => {
    addVersion(folder, "0.9.0");
    rmSync(join(folder, "0.9", REMOVED));
    addVersion(folder, "0.10.2");
  });
});
afterAll(() => site.close());

const menu = async (page: Page): Promise<readonly string[]> => {
  await page.locator("summary").click();
  return page
    .locator("details a")
    .evaluateAll((links) => links.map((link) => `${link.textContent}: ${link.getAttribute("href")}`));
};

it("lists the versions, the latest first", () => {
  const list = JSON.parse(site.read("versions.json")) as ReturnType<typeof listVersions>;
  expect([list.latest, ...list.versions.map(({ name }) => name)]).toEqual(["0.10", "0.10", "0.9"]);
  expect(list.versions.map(({ pages }) => pages.includes(REMOVED))).toEqual([true, false]);
  expect(list.versions.every(({ pages }) => pages.includes("docs/faq.html"))).toBe(true);
});

it("leads from its index to the latest version", () =>
  site.onPage("index.html", async (page) => {
    await page.waitForURL(site.urlOf("0.10/index.html"));
    expect(await page.locator("summary").textContent()).toBe("Version 0.10.2");
  }));

it("leads to the same page of another version, and from there back by a note", () =>
  site.onPage("0.10/docs/faq.html", async (page) => {
    expect(await menu(page)).toEqual([
      `0.10 (latest): ${site.urlOf("0.10/docs/faq.html")}`,
      `0.9: ${site.urlOf("0.9/docs/faq.html")}`,
    ]);
    expect(await page.locator(".note").count()).toBe(0);
    await page.getByRole("link", { name: "0.9" }).click();
    await page.waitForURL(site.urlOf("0.9/docs/faq.html"));
    expect(await page.locator("summary").textContent()).toBe("Version 0.9.0");
    await page.getByRole("link", { name: "The latest version is 0.10." }).click();
    await page.waitForURL(site.urlOf("0.10/docs/faq.html"));
  }));

it("leads to the first page of a version that does not have the page", () =>
  site.onPage(`0.10/${REMOVED}`, async (page) => {
    expect(await menu(page)).toContain(`0.9: ${site.urlOf("0.9/index.html")}`);
    await page.keyboard.press("Escape");
    expect(await page.locator("details").getAttribute("open")).toBeNull();
  }));

it.each(["light", "dark"] as const)("is accessible with an open menu and a note: %s", (colorScheme) =>
  site.onPage(
    "0.9/docs/faq.html",
    async (page) => {
      await menu(page);
      await page.locator(".note").waitFor();
      await page.evaluate(axe.source);
      const found = await page.evaluate<readonly string[]>(
        "axe.run(document).then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html))",
      );
      expect(found).toEqual([]);
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
    },
    { colorScheme, viewport: { width: 390, height: 800 } },
  ),
);

it("shows the version of the package, without a menu, where no other versions are", () => {
  const out = mkdtempSync(join(tmpdir(), "turnpike-alone-"));
  try {
    buildSite(out);
    const page = readFileSync(join(out, "docs/faq.html"), "utf8");
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { readonly version: string };
    expect(page).toContain(`<span id="page-version">${version}</span>`);
    expect(page).not.toContain("versions-menu.js");
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});

it("is an artefact of a release, with the versions that are published", () => {
  const out = mkdtempSync(join(tmpdir(), "turnpike-archive-"));
  try {
    const archives = ["a", "b"].map((name) => {
      mkdirSync(join(out, name));
      makeSite(join(out, name), "0.11.0", site.folder);
      return readFileSync(join(out, name, "turnpike-docs-0.11.0.tgz"));
    });
    expect(archives[0]?.equals(archives[1] ?? Buffer.of())).toBe(true);
    mkdirSync(join(out, "site"));
    execFileSync("tar", ["--extract", "--file", join(out, "a/turnpike-docs-0.11.0.tgz"), "-C", join(out, "site")]);
    expect(readdirSync(join(out, "site"))).toEqual([
      "0.10",
      "0.11",
      "0.9",
      "index.html",
      "versions.js",
      "versions.json",
    ]);
    expect(listVersions(join(out, "site")).latest).toBe("0.11");
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});

it("rejects what is not a version, and a folder without versions", () => {
  expect(seriesOf("1.20.3")).toBe("1.20");
  expect(() => seriesOf("next")).toThrow("next is not a version");
  const empty = mkdtempSync(join(tmpdir(), "turnpike-empty-"));
  expect(() => listVersions(empty)).toThrow("has no folder of a version");
  rmSync(empty, { recursive: true });
});
