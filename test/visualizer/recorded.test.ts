/** The page over recorded logs: long ones, broken ones, from a folder and from a file that somebody opens. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startAdmin, type AdminServer } from "../../src/admin/server.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { openBrowser, untilLoaded, visit, type Visit } from "../support/browser.ts";
import { record } from "../support/record-log.ts";

const LINES = 100_000;
const GATEWAYS = 40;

let browser: Browser;
let admin: AdminServer;
let folder: string;
let address: string;
let lastSeq: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "turnpike-recorded-"));
  await record(join(folder, "log"), { gateways: GATEWAYS, endpointsPerGateway: 30 }, LINES);
  for (const { seq } of readJournal(join(folder, "log"))) lastSeq = seq;
  [browser, admin] = await Promise.all([
    openBrowser(),
    startAdmin({ host: "127.0.0.1", port: 0, journal: join(folder, "log") }),
  ]);
  address = `127.0.0.1:${admin.port}`;
});
afterAll(async () => {
  await browser.close();
  await admin.close();
  rmSync(folder, { recursive: true });
});

const onPage = async (
  options: Visit,
  work: (page: Page, problems: readonly string[]) => Promise<void>,
): Promise<void> => {
  const { page, problems } = await visit(browser, address, options);
  try {
    await untilLoaded(page);
    await work(page, problems);
    // There is no relay here, and no traffic to ask for.
    expect(problems.filter((one) => !one.includes("404"))).toEqual([]);
  } finally {
    await page.close();
  }
};

const moment = (page: Page) => page.locator(".timeline .moment").textContent();

describe("a log of 100,000 events", () => {
  it("is there whole, its many gateways and endpoints as counts that open", () =>
    onPage({}, async (page) => {
      await expect.poll(() => moment(page)).toMatch(new RegExp(`^#${lastSeq} `));
      expect(lastSeq).toBeGreaterThanOrEqual(LINES);
      const all = page.getByRole("button", { name: `group ${GATEWAYS} gateways: ${GATEWAYS} active` });
      await all.click();
      await expect.poll(() => page.locator(".node.kind-gateway").count()).toBe(GATEWAYS);
      await page.getByRole("button", { name: "gateway ns/gateway-7: active" }).click();
      const endpoints = page.getByRole("button", { name: "group 30 endpoints: 30 active" });
      await expect.poll(() => endpoints.getAttribute("aria-expanded")).toBe("false");
      await endpoints.click();
      await expect.poll(() => page.locator(".node.kind-endpoint").count()).toBe(30);
    }));

  it("shows any moment of it: another pod was there before", () =>
    onPage({ fragment: "open=ns/gateway-3&open=endpoints+ns/media-3" }, async (page) => {
      const addresses = async () => new Set(await page.locator(".node.kind-endpoint .title").allTextContents());
      await expect.poll(async () => (await addresses()).size).toBe(30);
      const now = await addresses();
      const slider = page.getByRole("slider", { name: "Moment" });
      await slider.fill("20000");
      await expect.poll(() => moment(page)).toMatch(/^#20001 /);
      await expect.poll(addresses).not.toEqual(now);
      expect((await addresses()).size).toBe(30);
      await slider.fill(String(LINES));
      await expect.poll(addresses).toEqual(now);
    }));

  it("is followed while somebody writes on", async () => {
    const path = join(folder, "growing.jsonl");
    const lines = readFileSync(join(folder, "log", "000000000001.jsonl"), "utf8").split("\n");
    writeFileSync(path, `${lines.slice(0, 50).join("\n")}\n`);
    const growing = await startAdmin({ host: "127.0.0.1", port: 0, journal: path });
    const { page } = await visit(browser, `127.0.0.1:${growing.port}`);
    try {
      await untilLoaded(page);
      await expect.poll(() => moment(page)).toMatch(/^#50 /);
      writeFileSync(path, `${lines.slice(50, 60).join("\n")}\n`, { flag: "a" });
      await expect.poll(() => moment(page)).toMatch(/^#60 /);
    } finally {
      await page.close();
      await growing.close();
    }
  });
});

describe("a file", () => {
  const open = (page: Page, name: string, content: string | Buffer): Promise<void> =>
    page
      .getByLabel("Open a log")
      .setInputFiles({ name, mimeType: "application/x-ndjson", buffer: Buffer.from(content) });

  it("is opened, shown, and left again", () =>
    onPage({}, async (page) => {
      const lines = readFileSync(join(folder, "log", "000000000001.jsonl"), "utf8").split("\n");
      await open(page, "mine.jsonl", `${lines.slice(0, 700).join("\n")}\n`);
      await page.getByText("file mine.jsonl").waitFor();
      await expect.poll(() => moment(page)).toMatch(/^#700 /);
      await page.getByRole("button", { name: "Back to live" }).click();
      await expect.poll(() => moment(page)).toMatch(new RegExp(`^#${lastSeq} `));
    }));

  it("may as well be a path of the admin API, in a link", () =>
    onPage(
      { fragment: `log=${encodeURIComponent(`/api/v1/log?from=${lastSeq - 500}`)}&at=${lastSeq - 100}` },
      async (page) => {
        await page.getByText(`/api/v1/log?from=${lastSeq - 500}`).waitFor();
        await expect.poll(() => moment(page)).toMatch(new RegExp(`^#${lastSeq - 100} `));
        expect(await page.locator(".count").textContent()).toMatch(/^501 of 501 events/);
        await page.getByRole("button", { name: "Back to live" }).click();
        await expect.poll(() => page.locator(".source").textContent()).toBe("live");
      },
    ));

  it("at a path that is no log of this program is not asked for", () =>
    onPage({}, async (page) => {
      await page.goto(`http://${address}/#log=${encodeURIComponent("https://logs.example/1.jsonl")}`);
      await page.getByRole("alert").getByText("is no log of this program").waitFor();
    }));

  it("whose last line is torn is shown up to it", () =>
    onPage({}, async (page) => {
      const path = join(folder, "torn.jsonl");
      writeFileSync(path, readFileSync(join(folder, "log", "000000000001.jsonl")).subarray(0, 200_000));
      const whole = readFileSync(path).lastIndexOf(0x0a);
      truncateSync(path, whole + 100);
      const seq = (readFileSync(path, "utf8").match(/\n/g) ?? []).length;
      await open(page, "torn.jsonl", readFileSync(path));
      await expect.poll(() => moment(page)).toMatch(new RegExp(`^#${seq} `));
    }));

  it.each([
    { what: "is no log", content: "apiVersion: v1\nkind: Pod\n", says: "line 1 is not JSON" },
    { what: "holds other JSON", content: '{"level":30}\n', says: "line 1 is not a line of an event log" },
    { what: "comes from the future", content: '{"v":99,"seq":1,"type":"x"}\n', says: "line 1 has version 99" },
  ])("that $what says so, and what to do", ({ content, says }) =>
    onPage({}, async (page) => {
      await open(page, "other.jsonl", content);
      const alert = page.getByRole("alert");
      await alert.waitFor();
      expect(await alert.textContent()).toContain(says);
      expect(await alert.textContent()).toMatch(/open /);
    }),
  );

  it("that is empty says so", () =>
    onPage({}, async (page) => {
      await open(page, "empty.jsonl", "");
      await page.getByText("The log is empty").waitFor();
      expect(await page.getByRole("alert").count()).toBe(0);
    }));
});

describe("for everyone", () => {
  const select = "select=endpoint:ns/media-3%2310.0.3.5&open=ns/gateway-3";
  const views = ["topology", "machines", "allocations", "compare"] as const;

  it.each(views.flatMap((view) => [false, true].map((dark) => ({ view, dark }))))(
    "$view has names, roles and contrast (dark: $dark)",
    ({ view, dark }) =>
      onPage({ fragment: `view=${view}&${select}&at=60000&vs=50000`, dark }, async (page) => {
        await page.evaluate(axe.source);
        const violations = await page.evaluate<
          readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[]
        >(
          // Texts of a picture stand apart; the rule that is off joins them without a space.
          "axe.run(document, { resultTypes: ['violations'], rules: { 'label-content-name-mismatch': { enabled: false } } }).then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes: nodes.slice(0, 3).map(({ html }) => ({ html })) })))",
        );
        expect(violations).toEqual([]);
      }),
  );

  it.each([320, 390, 768])("nothing is cut off at %i pixels of width", (width) =>
    onPage({ fragment: select, size: { width, height: 800 } }, async (page) => {
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      await page.getByRole("tab", { name: "Statecharts" }).click();
      await page.getByRole("img", { name: /^Statechart of endpoint/ }).waitFor();
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
    }),
  );

  it("the theme is chosen, and remembered", () =>
    onPage({}, async (page) => {
      const paper = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
      const light = await paper();
      await page.getByLabel("Theme").selectOption("dark");
      await expect.poll(paper).not.toBe(light);
      const dark = await paper();
      await page.reload();
      await untilLoaded(page);
      expect(await paper()).toBe(dark);
    }));

  it("works from the keyboard alone", () =>
    onPage({}, async (page) => {
      await page.keyboard.press("2");
      await page.getByRole("tab", { name: "Statecharts", selected: true }).waitFor();
      await page.keyboard.press("1");
      await page.getByRole("listbox").focus();
      await page.keyboard.press("ArrowUp");
      await expect.poll(() => moment(page)).toMatch(new RegExp(`^#${lastSeq - 1} `));
      await page.keyboard.press("n");
      await expect.poll(() => moment(page)).toMatch(new RegExp(`^#${lastSeq} `));
    }));
});
