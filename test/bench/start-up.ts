/**
 * `npm run bench`: starting with 1,000 gateways and 50,000 endpoints from a directory, and changing one endpoint among
 * them. Each round is a process of its own; prints the median and the spread.
 */
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { startStandalone } from "../../src/runtime/standalone.ts";
import { addressesOf, gatewayFile, gatewayManifests, writeManifests } from "./manifests.ts";

const GATEWAYS = 1000;
const ENDPOINTS_PER_GATEWAY = 50;
const FIRST_PORT = 10_000;
const ROUNDS = 3;
const EDITS = 40;

interface Round {
  readonly startUpMs: number;
  readonly editMs: readonly number[];
  readonly rssMiB: number;
  readonly heapMiB: number;
  readonly replayMs: number;
  readonly facts: number;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const round = async (folder: string): Promise<Round> => {
  const journal = mkdtempSync(join(tmpdir(), "turnpike-bench-journal-"));
  const standalone = await startStandalone({
    directory: folder,
    addresses: ["127.0.0.1"],
    journal,
    admin: { host: "127.0.0.1", port: 0 },
    log: pino({ level: "silent" }),
  });
  await standalone.started;
  // Counted from the start of the process: loading the program is part of starting up.
  const startUpMs = performance.now();
  const { gateways, endpoints } = standalone.state();
  const serving = gateways.flatMap(({ listeners }) => listeners).filter(({ state }) => state === "serving").length;
  if (serving !== GATEWAYS || endpoints.length !== GATEWAYS * ENDPOINTS_PER_GATEWAY)
    throw new Error(`${serving} listeners serve and ${endpoints.length} endpoints are known`);

  let published: ((gateway: string) => void) | undefined;
  standalone.loop.onFact((fact) => {
    if (fact.type === "gateway.published" && fact.data.revoked > 0) published?.(fact.data.gateway);
  });
  const editMs: number[] = [];
  for (let edit = 0; edit < EDITS; edit += 1) {
    const n = (edit * 37) % GATEWAYS;
    const addresses = addressesOf(n, ENDPOINTS_PER_GATEWAY).with(edit % ENDPOINTS_PER_GATEWAY, `172.16.${edit}.1`);
    const done = new Promise<void>((resolve) => {
      published = (gateway) => {
        if (gateway === `media/gateway-${n}`) resolve();
      };
    });
    const text = gatewayManifests(n, addresses, FIRST_PORT + n);
    const before = performance.now();
    writeFileSync(gatewayFile(folder, n), text);
    await done;
    editMs.push(performance.now() - before);
  }
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  // The peak is what a memory limit must allow for.
  const peakKiB = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? rss / 1024);
  await standalone.stop("bench", 30_000);

  const before = performance.now();
  const { facts, divergence } = replay(readJournal(journal), digest);
  if (divergence !== undefined) throw new Error(`the log does not replay: ${JSON.stringify(divergence)}`);
  const replayMs = performance.now() - before;
  rmSync(journal, { recursive: true });
  return { startUpMs, editMs, rssMiB: peakKiB / 1024, heapMiB: heapUsed / 2 ** 20, replayMs, facts };
};

const inChild = (folder: string): Promise<Round> =>
  new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [folder]);
    child.once("message", (message) => resolve(message as Round));
    child.once("exit", (code) => (code === 0 ? undefined : reject(new Error(`a round ended with exit code ${code}`))));
  });

const line = (what: string, values: readonly number[], unit: string, aim: string): void => {
  const figures = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(value < 100 ? 1 : 0),
  );
  console.log(
    `${what.padEnd(44)} ${figures[0]} ${unit} (${figures[1]} to ${figures[2]})${aim === "" ? "" : `   aim: ${aim}`}`,
  );
};

const [folder] = process.argv.slice(2);
if (folder !== undefined) {
  const result = await round(folder);
  process.send?.(result);
} else {
  console.log(
    `${GATEWAYS} gateways, ${GATEWAYS * ENDPOINTS_PER_GATEWAY} endpoints, ${ROUNDS} rounds; Node ${process.version}`,
  );
  const rounds: Round[] = [];
  for (let i = 0; i < ROUNDS; i += 1) {
    const manifests = mkdtempSync(join(tmpdir(), "turnpike-bench-"));
    writeManifests(manifests, {
      gateways: GATEWAYS,
      endpointsPerGateway: ENDPOINTS_PER_GATEWAY,
      firstPort: FIRST_PORT,
    });
    rounds.push(await inChild(manifests));
    rmSync(manifests, { recursive: true });
  }
  line(
    "start until every listener serves",
    rounds.map(({ startUpMs }) => startUpMs),
    "ms",
    "under 10,000 ms",
  );
  line(
    "one endpoint edited until the relay revokes it",
    rounds.flatMap(({ editMs }) => editMs),
    "ms",
    "under 20 ms",
  );
  line(
    "peak memory (RSS)",
    rounds.map(({ rssMiB }) => rssMiB),
    "MiB",
    "under 500 MB",
  );
  line(
    "heap in use at the end",
    rounds.map(({ heapMiB }) => heapMiB),
    "MiB",
    "",
  );
  line(
    "replay of the whole log",
    rounds.map(({ replayMs }) => replayMs),
    "ms",
    "",
  );
  console.log(`facts in the log: ${median(rounds.map(({ facts }) => facts))}`);
}
