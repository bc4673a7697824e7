/**
 * `npm run bench:page`: the visualizer over a log of 100,000 events: how soon it is seen, how many frames a second it draws
 * while somebody scrubs; and what a page that is open costs the relay. Prints medians and the spread.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { startAdmin } from "../../src/admin/server.ts";
import { openBrowser } from "../support/browser.ts";
import { record } from "../support/record-log.ts";

const ROUNDS = 5;
const LINES = 100_000;
/** What is measured inside of the page. */
const SCRIPT = readFileSync(new URL("scrub.page.js", import.meta.url), "utf8");

const show = (values: readonly number[], unit: string): string => {
  const sorted = values.toSorted((a, b) => a - b);
  const text = (value: number | undefined): string => (value ?? NaN).toFixed(value !== undefined && value < 10 ? 2 : 0);
  return `${text(sorted[sorted.length >> 1])} ${unit} (${text(sorted[0])} to ${text(sorted.at(-1))})`;
};

/** From the wish to see the page until gateways are drawn and the timeline has its whole length, in ms. */
const firstView = async (browser: Browser, address: string): Promise<readonly [ms: number, page: Page]> => {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  const startedAt = performance.now();
  await page.goto(`http://${address}/`);
  await page.evaluate(SCRIPT);
  await page.evaluate(`untilShown(${LINES})`);
  return [performance.now() - startedAt, page];
};

/** Frames a second while the slider goes through the whole log, with a gateway open. */
const scrub = (page: Page): Promise<number> => page.evaluate<number>("scrub()");

const recorded = async (browser: Browser, gateways: number): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-bench-page-"));
  try {
    await record(folder, { gateways, endpointsPerGateway: 10 }, LINES);
    const admin = await startAdmin({ host: "127.0.0.1", port: 0, journal: folder });
    const [seen, fps]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round += 1) {
      const [ms, page] = await firstView(browser, `127.0.0.1:${admin.port}`);
      seen.push(ms);
      await page.locator(".node").first().click();
      if (gateways > 20) await page.locator(".node.kind-gateway").first().click();
      fps.push(await scrub(page));
      await page.close();
    }
    console.log(
      `${LINES.toLocaleString("en")} events of ${gateways} gateways, first view   ${show(seen, "ms")}   aim: under 2,000 ms`,
    );
    console.log(
      `${LINES.toLocaleString("en")} events of ${gateways} gateways, scrubbing    ${show(fps, "frames/s")}   aim: over 30`,
    );
    await admin.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const main = async (): Promise<void> => {
  console.log(`${ROUNDS} rounds; Node ${process.version}`);
  const browser = await openBrowser();
  for (const gateways of [3, 100]) await recorded(browser, gateways);
  await browser.close();
};

await main();
