/**
 * `npm run bench:page`: the visualizer over a log of 100,000 events: how soon it is seen, how many frames a second it draws
 * while somebody scrubs; and what a page that is open costs the relay. Prints medians and the spread.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { startAdmin } from "../../src/admin/server.ts";
import { openBrowser } from "../support/browser.ts";
import { credentials, startSubject, turnpike, type RunningSubject } from "./relay-servers.ts";
import { record } from "../support/record-log.ts";

const ROUNDS = 5;
const LINES = 100_000;
const COST_ROUNDS = 5;
const LOAD_SECONDS = 4;
const WATCHED_SECONDS = 10;
const ADMIN_PORT = 18_099;
const TURNPIKE = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));
/** What is measured inside of the page. */
const SCRIPT = readFileSync(new URL("scrub.page.js", import.meta.url), "utf8");

const show = (values: readonly number[], unit: string): string => {
  const sorted = values.toSorted((a, b) => a - b);
  const text = (value: number | undefined): string =>
    (value ?? NaN).toFixed(value !== undefined && value < 200 ? 1 : 0);
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

/** A load on the second core, in a process of its own. */
const startLoad = (port: number, ...flags: readonly string[]): ChildProcess => {
  const { username, password } = credentials;
  const args = ["-c", "1", TURNPIKE, "load", `turn:127.0.0.1:${port}`, "--json", "-u", username, "-w", password];
  return spawn("taskset", [...args, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
};

/** Of a relay that has a core for itself, with the page of its allocations open or not. */
const withRelay = async <T>(
  browser: Browser,
  isOpen: boolean,
  work: (running: RunningSubject) => Promise<T>,
): Promise<T> => {
  const admin = `127.0.0.1:${ADMIN_PORT}`;
  const running = await startSubject(turnpike("page", "--engine", "batch", "--admin", admin), "0");
  const page = isOpen ? await browser.newPage({ viewport: { width: 1400, height: 900 } }) : undefined;
  try {
    await page?.goto(`http://${admin}/#view=allocations`);
    // Until its files are made, which happens once.
    await page?.locator(".timeline .moment", { hasText: "#" }).waitFor();
    return await work(running);
  } finally {
    await page?.close();
    await running.stop();
  }
};

/** Packets relayed for each second of CPU time while 100 clients send as fast as answers come. */
const relayedPerCpuSecond = async ({ port, pid }: RunningSubject): Promise<number> => {
  const load = startLoad(port, "--seconds", String(LOAD_SECONDS), "--pid", String(pid));
  let said = "";
  load.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(load, "close")) as [number | null];
  if (code !== 0) throw new Error(`the load ended with ${code}`);
  return (JSON.parse(said) as { readonly relayedPerCpuSecond: number }).relayedPerCpuSecond;
};

/** Share of a core that the relay's process takes, in percent, while 200 clients each send a packet a second. */
const shareOfCore = async ({ port, cpuSeconds }: RunningSubject): Promise<number> => {
  const load = startLoad(port, "--clients", "200", "--rate", "1", "--seconds", String(WATCHED_SECONDS + 8));
  await after(5000);
  const [time, cpu] = [performance.now(), cpuSeconds()];
  await after(WATCHED_SECONDS * 1000);
  const share = ((cpuSeconds() - cpu) / (performance.now() - time)) * 100_000;
  load.kill();
  await once(load, "close");
  return share;
};

/** Rounds with the page open and without take turns; the browser shares the load's core. */
const inTurns = async (
  browser: Browser,
  rounds: number,
  measure: (running: RunningSubject) => Promise<number>,
): Promise<{ readonly closed: readonly number[]; readonly open: readonly number[] }> => {
  const measured: Record<"closed" | "open", number[]> = { closed: [], open: [] };
  for (let round = 0; round < rounds; round += 1)
    for (const how of round % 2 === 0 ? (["closed", "open"] as const) : (["open", "closed"] as const))
      measured[how].push(await withRelay(browser, how === "open", measure));
  return measured;
};

const cost = async (browser: Browser): Promise<void> => {
  const share = await inTurns(browser, ROUNDS, shareOfCore);
  console.log(`200 allocations, page closed: the relay takes of a core   ${show(share.closed, "%")}`);
  console.log(
    `200 allocations, page open                                ${show(share.open, "%")}   aim: less than 1 more`,
  );
  const relayed = await inTurns(browser, COST_ROUNDS, relayedPerCpuSecond);
  console.log(`packets relayed a CPU-second, page closed                 ${show(relayed.closed, "")}`);
  console.log(`packets relayed a CPU-second, page open                   ${show(relayed.open, "")}`);
};

const main = async (): Promise<void> => {
  console.log(`${ROUNDS} rounds; Node ${process.version}`);
  const browser = await openBrowser();
  if (process.argv[2] !== "cost") for (const gateways of [3, 100]) await recorded(browser, gateways);
  await cost(browser);
  await browser.close();
};

await main();
