/** The page `/call` in a browser as people have it: a call between two relayed addresses, and what it says when there is none. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openBrowser, visit } from "../support/browser.ts";
import { startLive, type Live } from "../support/live.ts";

let browser: Browser;
let open: Live;
let closed: Live;
beforeAll(async () => {
  browser = await openBrowser();
  // An address of the gateway itself is reached where a route names it, and nowhere else.
  [open, closed] = await Promise.all([
    startLive({ backends: [{ address: "127.0.0.1" }] }),
    startLive({ backends: [{ address: "127.0.0.77" }] }),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([open?.stop(), closed?.stop()]);
});

const onPage = async (live: Live, fragment: string, work: (page: Page) => Promise<void>): Promise<void> => {
  const address = `127.0.0.1:${live.standalone.admin.port}`;
  const { page, problems } = await visit(browser, address, { path: "/call", fragment });
  try {
    await work(page);
    expect(problems).toEqual([]);
  } finally {
    await page.close();
  }
};
const value = (page: Page, name: string) => page.getByRole("row", { name }).getByRole("cell");

it.each(["udp", "tcp"])("holds a call over %s, and shows it", async (transport) => {
  await onPage(open, "user=user-1&password=pass-1", async (page) => {
    // Nobody reads a password off the address bar.
    expect(page.url()).not.toContain("pass-1");
    await page.getByLabel("Listener").selectOption(`turn:127.0.0.1:${open.port}?transport=${transport}`);
    await page.getByRole("button", { name: "Call" }).click();
    await page.getByText("The call is up, through the gateway alone.").waitFor();
    await expect.poll(async () => Number(await value(page, "Pictures received").textContent())).toBeGreaterThan(25);
    const relayed = await value(page, "Relayed address of the caller").textContent();
    expect(relayed).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(JSON.stringify(open.facts.filter(({ type }) => type === "allocation.opened"))).toContain(relayed);
    const received = page.locator("video").nth(1);
    await expect.poll(() => received.evaluate((video) => Number(Reflect.get(video, "videoWidth")))).toBeGreaterThan(0);
    await page.evaluate(
      `document.querySelector("form").addEventListener("submit", () => (window.hasCalledAgain = true))`,
    );
    await page.getByRole("button", { name: "Hang up" }).click();
    await page.getByRole("button", { name: "Call" }).waitFor();
    expect(await page.locator("video").count()).toBe(0);
    expect(await page.evaluate("window.hasCalledAgain")).toBeUndefined();
  });
});

it("says that a password is wrong", async () => {
  await onPage(open, "user=user-1&password=wrong", async (page) => {
    await page.getByRole("button", { name: "Call" }).click();
    await page.getByRole("cell", { name: /^401 / }).waitFor();
  });
});

it("says that nothing came through, where no route lets it", async () => {
  await onPage(closed, "user=user-1&password=pass-1", async (page) => {
    await page.getByRole("button", { name: "Call" }).click();
    await page.getByText("No packet comes through the gateway.").waitFor();
    expect(closed.facts.map(({ type }) => type)).toContain("peer.refused");
  });
});
