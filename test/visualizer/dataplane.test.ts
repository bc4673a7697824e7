/** The page of a dataplane, which knows configs alone. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openBrowser, untilLoaded, visit } from "../support/browser.ts";
import { startTestDataplane, type TestDataplane } from "../support/dataplane.ts";

let browser: Browser;
let here: TestDataplane;
beforeAll(async () => {
  [browser, here] = await Promise.all([openBrowser(), startTestDataplane({}, { admin: true })]);
});
afterAll(async () => {
  await browser.close();
  await here.stop();
});

it("shows listeners, clusters and endpoints of the config, and what its relay does", async () => {
  const { port } = here.dataplane.admin!;
  const { page, problems } = await visit(browser, `127.0.0.1:${port}`);
  await untilLoaded(page);
  await page.getByText("dataplane", { exact: true }).waitFor();
  await page.getByRole("button", { name: /^gateway .*: active$/ }).waitFor();
  for (const kind of ["listener", "route", "backend", "endpoint"])
    await expect.poll(() => page.locator(`.node.kind-${kind}`).count(), { message: kind }).toBeGreaterThan(0);
  await page.getByRole("tab", { name: "Allocations" }).click();
  await page.getByText("Nobody has an allocation").waitFor();
  expect(problems).toEqual([]);
  await page.close();
});
