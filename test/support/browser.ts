/** A real Chromium, and pages of it that fail the test at any error, and at any request that leaves the machine. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type Page } from "playwright-core";
import { expect } from "vitest";
import { PATIENCE_MS } from "./patience.ts";

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

let library: string | undefined;

/** Environment of a program that does not notice that the machine's addresses change. @throws Error if clang fails. */
export const unchangingNetwork = (): Readonly<Record<string, string>> => {
  if (library === undefined) {
    const folder = mkdtempSync(join(tmpdir(), "turnpike-unchanging-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    library = join(folder, "unchanging-network.so");
    const source = fileURLToPath(new URL("unchanging-network.c", import.meta.url));
    execFileSync("clang", ["-shared", "-fPIC", "-Wall", "-Werror", "-o", library, source]);
  }
  return { LD_PRELOAD: library };
};

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    env: { ...process.env, ...unchangingNetwork() },
  });

export interface Visited {
  readonly page: Page;
  /** Everything that went wrong: errors of scripts, of the console, of the policy; requests to other origins. */
  readonly problems: readonly string[];
}

export interface Visit {
  /** `/`, unless it is another page. */
  readonly path?: string;
  readonly fragment?: string;
  readonly dark?: boolean;
  readonly size?: { readonly width: number; readonly height: number };
}

/** @param address `HOST:PORT` of the admin API. */
export const visit = async (browser: Browser, address: string, options: Visit = {}): Promise<Visited> => {
  const { path = "/", fragment = "", dark = false, size = { width: 1400, height: 900 } } = options;
  const page = await browser.newPage({ viewport: size, colorScheme: dark ? "dark" : "light", acceptDownloads: true });
  page.setDefaultTimeout(PATIENCE_MS);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.host !== address) problems.push(`request to ${url.host}`);
  });
  await page.goto(`http://${address}${path}#${fragment}`);
  return { page, problems };
};

/** What a page shows that does not load, and whether it is drawn at all. */
const stateOf = (page: Page): Promise<string> =>
  page.evaluate<string>(`(async () => {
    const frame = await Promise.race([
      new Promise((resolve) => requestAnimationFrame(() => resolve("frames are drawn"))),
      new Promise((resolve) => setTimeout(() => resolve("no frame is drawn in 2 s"), 2000)),
    ]);
    const loaded = performance.getEntriesByType("resource").map(({ name, responseEnd }) => name + " " + responseEnd);
    return [document.visibilityState, frame, document.body.innerText, ...loaded.slice(-8)].join("\\n");
  })()`);

/** Waits until the log is there. @throws with what the page shows instead. */
export const untilLoaded = async (page: Page): Promise<void> => {
  await page
    .locator(".timeline .moment", { hasText: "#" })
    .waitFor()
    .catch(async (error: unknown) => {
      throw new Error(`the page does not load: ${await stateOf(page)}`, { cause: error });
    });
  await expect.poll(() => page.locator(".source").textContent()).toMatch(/^(live|file .*|\/api\/.*)$/);
};
