/** The page of a live gateway, in a real browser, while calls go on: what a user sees and clicks. */
import { readFile } from "node:fs/promises";
import type { Browser, Download, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMachine, initialTransition, transition } from "xstate";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import type { JournalLine } from "../../src/journal/fact.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { openBrowser, untilLoaded, visit, type Visit } from "../support/browser.ts";
import { startEchoBackend, startLive, type EchoBackend, type Live, type World } from "../support/live.ts";
import { startStream, type Stream } from "../support/stream.ts";

const STAYING = { address: "127.0.0.1" };
const LEAVING = { address: "127.0.0.2" };
const world: World = { backends: [STAYING], otherBackends: [LEAVING] };
const REFUSED = "10.9.9.9";
const ENDPOINT = `endpoint:default/other#${LEAVING.address}`;

let browser: Browser;
let live: Live;
let backends: readonly EchoBackend[];
let streams: readonly Stream[];
let address: string;

const connection = () =>
  ({ host: "127.0.0.1", port: live.port, transport: "udp", username: "user-1", password: "pass-1" }) as const;

beforeAll(async () => {
  browser = await openBrowser();
  backends = await Promise.all([startEchoBackend(STAYING.address), startEchoBackend(LEAVING.address)]);
  live = await startLive(world);
  address = `127.0.0.1:${live.standalone.admin.port}`;
  streams = await Promise.all(backends.map((backend) => startStream(connection(), backend)));
  await Promise.all(streams.map((stream) => stream.flows(5)));
  const client = await TurnClient.connect(connection());
  await client.allocate();
  await client.createPermission(REFUSED).catch(() => undefined);
  client.close();
  await live.waitFor(() => expect(live.facts.map(({ type }) => type)).toContain("peer.refused"));
});
afterAll(async () => {
  for (const stream of streams) stream.stop();
  await browser.close();
  await live.stop();
  await Promise.all(backends.map((backend) => backend.close()));
});

/** Does `work` on a page of its own, on which nothing may go wrong. */
const onPage = async (options: Visit, work: (page: Page) => Promise<void>): Promise<void> => {
  const { page, problems } = await visit(browser, address, options);
  try {
    await untilLoaded(page);
    await work(page);
    expect(problems).toEqual([]);
  } catch (error) {
    throw problems.length === 0 ? error : new Error(problems.join("\n"), { cause: error });
  } finally {
    await page.close();
  }
};

const node = (page: Page, name: string | RegExp) => page.getByRole("button", { name }).locator("visible=true");
const inspector = (page: Page) => page.getByRole("complementary", { name: "Inspector" });

const saved = async (
  page: Page,
  save: () => Promise<void>,
): Promise<{ readonly name: string; readonly text: string }> => {
  const [download] = await Promise.all<[Promise<Download>, Promise<void>]>([
    page.waitForEvent("download"),
    save(),
  ] as never);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
};
const linesOf = (text: string): readonly JournalLine[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as JournalLine);

describe("the topology", () => {
  it("shows gateway, listeners, routes, services and endpoints with their states, and traffic on the edges", () =>
    onPage({}, async (page) => {
      for (const name of [
        "gateway default/gateway: active",
        `listener turn-udp: TURN-UDP ${live.port} · serving`,
        "route default/echo: UDPRoute · attached",
        "backend default/echo: Service",
        `endpoint ${STAYING.address}: active`,
        `endpoint ${LEAVING.address}: active`,
      ])
        await expect.poll(() => node(page, name).count(), { message: name }).toBe(1);
      await expect.poll(() => page.locator(".edge.busy text").allTextContents()).not.toEqual([]);
      const rates = await page.locator(".edge.busy text").allTextContents();
      expect(rates.every((rate) => /^[\d.]+k? pkt\/s$/.test(rate))).toBe(true);
    }));

  it("lets an endpoint be inspected: its history, its objects, and whether clients reach it", () =>
    onPage({}, async (page) => {
      await node(page, `endpoint ${STAYING.address}: active`).click();
      const pane = inspector(page);
      await pane.getByRole("heading", { name: `endpoint default/echo#${STAYING.address}` }).waitFor();
      await pane.getByText("EndpointSlice default/echo-1").waitFor();
      await pane.getByRole("button", { name: "Can clients reach it?" }).click();
      await page.getByRole("heading", { name: `${STAYING.address} is reachable` }).waitFor();
    }));

  it("closes and opens a gateway, by mouse and by keyboard", () =>
    onPage({}, async (page) => {
      const gateway = page.getByRole("button", { name: /^gateway default\/gateway/ });
      await gateway.focus();
      await page.keyboard.press("Enter");
      await inspector(page).getByRole("heading", { name: "gateway default/gateway" }).waitFor();
      await page.keyboard.press("Enter");
      await expect.poll(() => gateway.getAttribute("aria-expanded")).toBe("false");
      await expect.poll(() => page.locator(".node.kind-listener").count()).toBe(0);
      await page.keyboard.press("Space");
      await expect.poll(() => page.locator(".node.kind-listener").count()).toBe(2);
    }));

  it("counts how long an endpoint is terminating, and the calls left; then it is gone", () =>
    onPage({}, async (page) => {
      await live.edit({ ...world, otherBackends: [{ ...LEAVING, terminating: true }] });
      const name = new RegExp(`^endpoint ${LEAVING.address}: terminating \\d+ s, 1 call left$`);
      await node(page, name).waitFor();
      await live.edit({ ...world, otherBackends: [] });
      await expect
        .poll(() => page.getByRole("button", { name: new RegExp(`endpoint ${LEAVING.address}`) }).count())
        .toBe(0);
      await live.edit(world);
      await node(page, `endpoint ${LEAVING.address}: active`).waitFor();
    }));

  it("is saved as an SVG that stands alone", () =>
    onPage({}, async (page) => {
      const { name, text } = await saved(page, () => page.getByRole("button", { name: "Save picture" }).click());
      expect(name).toBe("turnpike-topology.svg");
      expect(text).toContain("default/gateway");
      expect(text).toMatch(/fill="rgb/);
      expect(text).not.toMatch(/class=|<script/);
      const alone = await browser.newPage();
      await alone.setContent(text);
      expect(await alone.locator("svg rect").count()).toBeGreaterThan(5);
      await alone.close();
    }));
});

describe("a statechart", () => {
  it("is generated from the machine, with the state of the instance, its last transition and its history", () =>
    onPage({ fragment: `view=machines&machine=endpoint&select=${encodeURIComponent(ENDPOINT)}` }, async (page) => {
      const chart = page.getByRole("img", { name: "Statechart of endpoint, in state active" });
      await chart.waitFor();
      expect((await chart.locator(".state > text:first-of-type").allTextContents()).toSorted()).toEqual([
        "active",
        "gone",
        "terminating",
      ]);
      await expect.poll(() => chart.locator(".state.current > text").first().textContent()).toBe("active");
      const moves = page.getByRole("list", { name: `History of default/other#${LEAVING.address}` }).first();
      expect(await moves.getByRole("listitem").count()).toBeGreaterThan(1);
      // Back at the line by which it went, the chart shows it gone, and how.
      await moves.getByRole("listitem").filter({ hasText: "unlisted" }).getByRole("button").first().click();
      await page.getByRole("button", { name: "Show this instance" }).click();
      await page.getByRole("img", { name: "Statechart of endpoint, in state gone" }).waitFor();
      await expect.poll(() => page.locator(".transition.taken text.taken").textContent()).toBe("unlisted");
    }));

  it("exports a definition that XState, and so Stately's editor, opens", () =>
    onPage({ fragment: "view=machines&machine=endpoint" }, async (page) => {
      const { text } = await saved(page, () => page.getByRole("button", { name: "Export for Stately" }).click());
      const machine = createMachine(JSON.parse(text));
      const [born] = initialTransition(machine);
      expect(born.value).toBe("active");
      expect(transition(machine, born, { type: "listed terminating" })[0].value).toBe("terminating");
      expect(transition(machine, born, { type: "unlisted" })[0].status).toBe("done");
    }));
});

describe("the timeline", () => {
  const moment = (page: Page) => page.locator(".timeline .moment").textContent();

  it("steps, jumps, plays and scrubs, and all of the page shows the moment", () =>
    onPage({}, async (page) => {
      const jump = page.getByRole("textbox", { name: "Jump to an event or a time" });
      await jump.fill("1");
      await jump.press("Enter");
      await expect.poll(() => moment(page)).toMatch(/^#1 /);
      await page.getByText("There is no Gateway at this moment").waitFor();
      await page.getByRole("button", { name: "One event on" }).click();
      await expect.poll(() => moment(page)).toMatch(/^#2 /);
      await page.keyboard.press(",");
      await expect.poll(() => moment(page)).toMatch(/^#1 /);

      const published = live.lines().find(({ type }) => type === "gateway.published")!;
      await jump.fill(`#${published.seq}`);
      await jump.press("Enter");
      await node(page, "gateway default/gateway: active").waitFor();
      await inspector(page)
        .getByRole("heading", { name: `Event #${published.seq}` })
        .waitFor();

      const slider = page.getByRole("slider", { name: "Moment" });
      await slider.focus();
      await slider.press("Home");
      await expect.poll(() => moment(page)).toMatch(/^#1 /);
      await page.getByLabel("Speed").selectOption("1000");
      await page.getByRole("button", { name: "Play" }).click();
      // At its end it is live again.
      await page.getByRole("button", { name: "Now", pressed: true }).waitFor();
      await page.getByRole("button", { name: "Play" }).waitFor();
    }));

  it("says what it takes when it does not understand where to go", () =>
    onPage({}, async (page) => {
      const jump = page.getByRole("textbox", { name: "Jump to an event or a time" });
      await jump.fill("yesterday, about noon");
      await jump.press("Enter");
      expect(
        await jump.evaluate((input) => (input as unknown as { validationMessage: string }).validationMessage),
      ).toMatch(/03:12/);
    }));

  it("filters by type, kind, object and text", () =>
    onPage({}, async (page) => {
      const search = page.getByRole("search", { name: "Filter events" });
      const shown = (): Promise<readonly string[]> => page.locator(".event .type").allTextContents();
      await search.getByLabel("Type").fill("peer.refused");
      await expect.poll(shown).toEqual(["peer.refused"]);
      await search.getByLabel("Type").fill("");
      await search.getByLabel("Kind").selectOption("EndpointSlice");
      await search.getByRole("searchbox", { name: "Object" }).fill("other-1");
      await expect.poll(async () => new Set(await shown())).toEqual(new Set(["object.seen"]));
      await search.getByLabel("Text").fill("no such text");
      await page.getByText("No event matches").waitFor();
      await page.getByRole("button", { name: "Show all" }).first().click();
      await expect.poll(() => search.locator("output").textContent()).toMatch(/^(\d+) of \1 events$/);
    }));

  it("goes with a link: moment, view, selection and filter", () =>
    onPage({}, async (page) => {
      const refused = live.lines().find(({ type }) => type === "peer.refused")!;
      const search = page.getByRole("search", { name: "Filter events" });
      await search.getByLabel("Type").fill("peer");
      await page.locator(`.event[data-seq="${refused.seq}"]`).click();
      await page.getByRole("tab", { name: "Allocations" }).click();
      // The address follows a moment later than the page, each click by itself.
      await expect.poll(() => page.url()).toMatch(new RegExp(`view=allocations&.*select=line%3A${refused.seq}&`));
      const other = await visit(browser, address, { fragment: new URL(page.url()).hash.slice(1) });
      await untilLoaded(other.page);
      await expect.poll(() => moment(other.page)).toMatch(new RegExp(`^#${refused.seq} `));
      await other.page.getByRole("tab", { name: "Allocations", selected: true }).waitFor();
      await inspector(other.page)
        .getByRole("heading", { name: `Event #${refused.seq}` })
        .waitFor();
      expect(await other.page.getByRole("search").getByLabel("Type").inputValue()).toBe("peer");
      expect(other.problems).toEqual([]);
      await other.page.close();
    }));

  it("compares two moments, and saves what lies between as a fixture that replays by itself", () =>
    onPage({}, async (page) => {
      const unlisted = live
        .lines()
        .find(
          (line) =>
            line.type === "transition" && line.data.entity.endsWith(LEAVING.address) && line.data.to === "terminating",
        )!;
      const jump = page.getByRole("textbox", { name: "Jump to an event or a time" });
      await jump.fill(String(unlisted.seq - 1));
      await jump.press("Enter");
      await page.getByRole("button", { name: "Compare from here" }).click();
      await jump.fill(String(unlisted.seq));
      await jump.press("Enter");
      const machines = page.getByRole("list", { name: "Machines that differ" });
      await expect
        .poll(() => machines.getByRole("listitem").allTextContents())
        .toEqual([`endpoint default/other#${LEAVING.address}active → terminating`]);
      await page.getByRole("button", { name: "Now" }).click();
      const { name, text } = await saved(page, () => page.getByRole("button", { name: "Save slice" }).click());
      expect(name).toMatch(/^slice-\d+-\d+\.jsonl$/);
      const lines = linesOf(text);
      expect(lines[0]!.type).toBe("snapshot");
      expect(lines.at(-1)!.seq).toBeGreaterThan(unlisted.seq);
      const { divergence, transitions } = replay(lines, digest);
      expect(divergence).toBeUndefined();
      expect(transitions).toBeGreaterThan(0);
    }));

  it("saves the whole log, as it stands on disk", () =>
    onPage({}, async (page) => {
      const { text } = await saved(page, () => page.getByRole("button", { name: "Save log" }).click());
      const lines = linesOf(text);
      expect(lines).toEqual(live.lines().slice(0, lines.length));
      expect(lines.length).toBeGreaterThan(30);
    }));
});

describe("an event", () => {
  it("is inspected with its causes and its effects, and leads to them", () =>
    onPage({}, async (page) => {
      const lines = live.lines();
      const seen = lines.findLast(
        (line) =>
          line.type === "object.seen" &&
          line.data.kind === "EndpointSlice" &&
          lines.some(({ cause }) => cause === line.seq),
      )!;
      const effect = lines.find(({ cause }) => cause === seen.seq)!;
      const jump = page.getByRole("textbox", { name: "Jump to an event or a time" });
      await jump.fill(String(effect.seq));
      await jump.press("Enter");
      const pane = inspector(page);
      await pane
        .getByRole("list", { name: "Causes" })
        .getByRole("button", { name: `#${seen.seq}` })
        .click();
      await pane.getByRole("heading", { name: `Event #${seen.seq}` }).waitFor();
      await pane.getByText("It came from outside.").waitFor();
      await pane
        .getByRole("list", { name: "Effects" })
        .getByRole("button", { name: `#${effect.seq}` })
        .click();
      await pane.getByRole("heading", { name: `Event #${effect.seq}` }).waitFor();
    }));
});

describe("allocations", () => {
  it("are listed with user, client, relayed address, peers, rate and age", () =>
    onPage({ fragment: "view=allocations" }, async (page) => {
      const table = page.getByRole("table", { name: "Allocations" });
      // Two streams, the client that was refused, and the head.
      await expect.poll(() => table.getByRole("row").count()).toBe(4);
      const opened = live.facts.flatMap((fact) => (fact.type === "allocation.opened" ? [fact.data] : []));
      const text = (await table.getByRole("row").allTextContents()).join("\n");
      for (const { user, client, relayed } of opened.slice(0, 2))
        for (const part of [user, client, relayed]) expect(text).toContain(part);
      await table.getByRole("button", { name: STAYING.address, exact: true }).waitFor();
      await expect.poll(() => table.locator(".spark").last().textContent()).toMatch(/[1-9]\d* pkt\/s/);
      await page.getByPlaceholder("user, client, relayed address, peer").fill(opened[0]!.client);
      await expect.poll(() => table.getByRole("row").count()).toBe(2);
    }));

  it("tell why a peer was refused, at a click", () =>
    onPage({ fragment: "view=allocations" }, async (page) => {
      const refused = live.facts.find(({ type }) => type === "peer.refused")!;
      await page.getByRole("table", { name: "Refused peers" }).getByRole("button", { name: REFUSED }).first().click();
      const explanation = page.getByRole("region", { name: "Explanation" });
      await explanation.getByRole("heading", { name: `${REFUSED} is not reachable` }).waitFor();
      expect(await page.getByRole("table", { name: "Refused peers" }).textContent()).toContain("no-cluster");
      expect(await explanation.textContent()).toContain(`as of event #${refused.seq}`);
      expect(await explanation.textContent()).toMatch(/What to do: /);
    }));

  it("answers whether clients can reach a peer, and says so where it is no address", () =>
    onPage({ fragment: "view=allocations" }, async (page) => {
      const peer = page.getByLabel("Can clients reach");
      await peer.fill(`${STAYING.address}:5000`);
      await page.getByRole("button", { name: "Explain" }).click();
      await page.getByRole("heading", { name: `${STAYING.address}:5000 is reachable` }).waitFor();
      await peer.fill("media.example.org");
      await page.getByRole("button", { name: "Explain" }).click();
      await page.getByText("media.example.org is no address").waitFor();
    }));
});
