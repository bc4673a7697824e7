/** The documentation as a site in a temporary folder, and its pages in a browser, opened from files. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { expect } from "vitest";
import { openBrowser } from "../support/browser.ts";
import { PATIENCE_MS } from "../support/patience.ts";

export interface Site {
  readonly folder: string;
  read(path: string): string;
  urlOf(path: string): string;
  /** Opens a page. The test fails on errors of scripts and on requests that leave the machine. */
  onPage(path: string, use: (page: Page) => Promise<void>, options?: BrowserContextOptions): Promise<void>;
  close(): Promise<void>;
}

/** @param build writes the site into a folder. */
export const openSite = async (build: (folder: string) => unknown): Promise<Site> => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-site-"));
  build(folder);
  const browser: Browser = await openBrowser();
  const urlOf = (path: string): string => pathToFileURL(join(folder, path)).href;
  return {
    folder,
    urlOf,
    read: (path) => readFileSync(join(folder, path), "utf8"),
    onPage: async (path, use, options = {}) => {
      const page = await browser.newPage(options);
      page.setDefaultTimeout(PATIENCE_MS);
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("request", (request) => {
        if (!request.url().startsWith("file:")) problems.push(request.url());
      });
      try {
        await page.goto(urlOf(path));
        await use(page);
        expect(problems).toEqual([]);
      } finally {
        await page.close();
      }
    },
    close: async () => {
      await browser.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
