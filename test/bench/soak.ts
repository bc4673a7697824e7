/**
 * `npm run bench:soak`: media at half of what one core relays, while other allocations come and go: no packet lost, memory
 * and descriptors flat.
 *
 *     npm run bench:soak -- [--minutes 10]
 */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { LoadResult } from "../../src/load/load.ts";
import { TurnClient, TurnResponseError } from "../../src/turn-client/turn-client.ts";
import { credentials, startSubject, turnpike } from "./relay-servers.ts";

const TURNPIKE = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));
const CLIENTS = 100;
const BYTES = 160;
const SAMPLE_MS = 30_000;
/** Allocations that others make and give back, at a time. */
const CHURN = 10;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const seconds = Math.round(Number(values.minutes) * 60);

const server = await startSubject(turnpike("turnpike", "--engine", "batch"), "0");

const load = async (...flags: readonly string[]): Promise<LoadResult & { readonly relayedPerSecond: number }> => {
  const uri = `turn:127.0.0.1:${server.port}`;
  const args = ["-c", "1", TURNPIKE, "load", uri, "--json", "--clients", String(CLIENTS), "--bytes", String(BYTES)];
  const child = spawn("taskset", [...args, "-u", credentials.username, "-w", credentials.password, ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(await text(child.stdout)) as LoadResult & { readonly relayedPerSecond: number };
};

const descriptors = (): number => readdirSync(`/proc/${server.pid}/fd`).length;
const mebibytes = (): number => Math.round(server.rssBytes() / 2 ** 20);

const over = new AbortController();
let churned = 0;
/** Allocates, and gives back, again and again: half of them properly, half of them by going away. */
const churn = async (): Promise<void> => {
  while (!over.signal.aborted) {
    const client = await TurnClient.connect({ host: "127.0.0.1", port: server.port, ...credentials });
    try {
      await client.allocate({ lifetime: 5 });
      if (churned % 2 === 0) await client.refresh(0);
      churned += 1;
    } catch (error) {
      // Sometimes the system gives out a port again whose last user disappeared silently: that allocation stands yet.
      if (!(error instanceof TurnResponseError && error.code === 437)) throw error;
    } finally {
      client.close();
    }
    await after(100);
  }
};

// One packet of each client at a time, as they come when sent at a rate: runs of several would be relayed much faster.
const { relayedPerSecond } = await load("--seconds", "3", "--window", "1");
const rate = Math.floor(relayedPerSecond / 2 / 2 / CLIENTS);
process.stdout.write(
  `one core relays ${relayedPerSecond} packets a second here; ${rate} a second of each of ${CLIENTS} clients for ${seconds} s\n`,
);
const churning = Promise.all(Array.from({ length: CHURN }, churn));
const running = load("--rate", String(rate), "--seconds", String(seconds)).finally(() => over.abort());
const began = performance.now();
while (!over.signal.aborted) {
  await Promise.race([running, after(SAMPLE_MS)]);
  const at = Math.round((performance.now() - began) / 1000);
  process.stdout.write(
    `${at} s: ${mebibytes()} MiB, ${descriptors()} descriptors, ${churned} allocations come and gone\n`,
  );
}
const result = await running;
await churning;
process.stdout.write(
  `sent ${result.sent}, returned ${result.received}; round trip p50 ${result.p50.toFixed(0)} µs, p99 ${result.p99.toFixed(0)} µs\n`,
);
await server.stop();
