/**
 * `npm run bench:relay`: packets relayed for each CPU-second, the latency that the relay adds, and what allocations cost;
 * ours beside coturn and pion/turn. Each server has one core, the load another; all take turns within every round.
 *
 *     npm run bench:relay -- [--rounds 3] [--seconds 3] [--case NAME,…] [--server NAME,…]
 *
 * All of it takes about ten minutes; what has been measured is told on stderr as it goes.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { LoadResult } from "../../src/load/load.ts";
import { credentials, startSubject, subjects, type Subject } from "./relay-servers.ts";

const SERVER_CORE = "0";
const LOAD_CORE = "1";
const TURNPIKE = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));

interface Case {
  readonly name: string;
  readonly transport?: "tcp";
  readonly flags: readonly string[];
  /** What is looked at; packets for each CPU-second unless given. */
  readonly of?: "latency" | "allocations";
}

const hundred = ["--clients", "100"];
const cases: readonly Case[] = [
  { name: "channel 160 B", flags: [...hundred, "--bytes", "160"] },
  { name: "channel 160 B, 100 peers", flags: [...hundred, "--bytes", "160", "--peers", "100"] },
  // Nothing that could be put together: every packet is by itself.
  { name: "channel 160 B, no runs", flags: ["--clients", "400", "--window", "1", "--bytes", "160", "--peers", "400"] },
  { name: "channel 1200 B", flags: [...hundred, "--bytes", "1200"] },
  { name: "channel 1200 B, 100 peers", flags: [...hundred, "--bytes", "1200", "--peers", "100"] },
  { name: "indication 160 B", flags: [...hundred, "--bytes", "160", "--via", "indication"] },
  { name: "TCP channel 160 B", transport: "tcp", flags: [...hundred, "--bytes", "160"] },
  { name: "5,000 packets/s: p50", of: "latency", flags: [...hundred, "--bytes", "160", "--rate", "50"] },
  // As many as a process may have sockets for here; from another address, as there are not ports enough on one.
  {
    name: "15,000 allocations",
    of: "allocations",
    flags: ["--clients", "15000", "--address", "127.0.0.2", "--rate", "1", "--warm-up", "0"],
  },
];

type Outcome = LoadResult & {
  readonly relayedPerCpuSecond: number;
  readonly rssBytes: number;
  /** Of the server before there was anything to do. */
  readonly idleBytes: number;
};

const load = (
  port: number,
  pid: number | undefined,
  { flags, transport }: Case,
  seconds: string,
): Omit<Outcome, "idleBytes"> => {
  const uri = `turn:127.0.0.1:${port}${transport === undefined ? "" : `?transport=${transport}`}`;
  const args = [
    ["-c", LOAD_CORE, TURNPIKE, "load", uri, "--json", "--seconds", seconds],
    ["-u", credentials.username, "-w", credentials.password],
    pid === undefined ? [] : ["--pid", String(pid)],
    flags,
  ].flat();
  const { status, stdout, stderr } = spawnSync("taskset", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${flags.join(" ")}: ${stderr}`);
  return JSON.parse(stdout) as Omit<Outcome, "idleBytes">;
};

const sorted = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1] ?? Number.NaN;
const thousands = (value: number): string => `${(value / 1000).toFixed(0)}k`;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    case: { type: "string" },
    server: { type: "string" },
  },
});
type Named = { readonly name: string };

/** Those whose names contain one of `names`; all without them. */
const chosen = <T extends Named>(option: string, all: readonly T[], names: string | undefined): readonly T[] => {
  if (names === undefined) return all;
  const wanted = names.split(",");
  const unknown = wanted.filter((one) => !all.some(({ name }) => name.includes(one)));
  if (unknown.length > 0) {
    const known = all.map(({ name }) => `"${name}"`).join(", ");
    process.stderr.write(`--${option}: unknown name "${unknown.join('", "')}" (known: ${known})\n`);
    process.exit(2);
  }
  return all.filter(({ name }) => wanted.some((one) => name.includes(one)));
};

const servers = chosen("server", await subjects(), values.server);
const chosenCases = chosen("case", cases, values.case);
const results = new Map<string, Map<string, Outcome[]>>();

for (let round = 1; round <= Number(values.rounds); round += 1)
  for (const one of chosenCases) {
    process.stderr.write(`round ${round} of ${values.rounds}: ${one.name}\n`);
    for (const server of servers) {
      const running = await startSubject(server, SERVER_CORE);
      try {
        const idleBytes = running.rssBytes();
        const outcome = { ...load(running.port, running.pid, one, values.seconds), idleBytes };
        const ofCase = results.get(one.name) ?? new Map<string, Outcome[]>();
        results.set(one.name, ofCase);
        ofCase.set(server.name, [...(ofCase.get(server.name) ?? []), outcome]);
      } finally {
        await running.stop();
      }
    }
  }

const show = (subject: Subject, one: Case): string => {
  const outcomes = results.get(one.name)?.get(subject.name) ?? [];
  if (one.of === "allocations") {
    const count = Number(one.flags[1]);
    const perSecond = median(outcomes.map(({ allocateSeconds }) => count / allocateSeconds));
    const bytes = median(outcomes.map(({ rssBytes, idleBytes }) => (rssBytes - idleBytes) / count));
    return `${perSecond.toFixed(0)}/s, ${(bytes / 1024).toFixed(1)} KiB`;
  }
  if (one.of === "latency") {
    const spread = outcomes.map(({ p99 }) => p99);
    return `${median(outcomes.map(({ p50 }) => p50)).toFixed(0)} µs, p99 ${median(spread).toFixed(0)}`;
  }
  const figures = outcomes.map(({ relayedPerCpuSecond }) => relayedPerCpuSecond);
  const all = sorted(figures);
  return `${thousands(median(figures))} (${thousands(all[0] ?? 0)}–${thousands(all.at(-1) ?? 0)})`;
};

const ratio = (one: Case, ours: string, theirs: string): string => {
  const figure = (name: string): number =>
    median((results.get(one.name)?.get(name) ?? []).map(({ relayedPerCpuSecond }) => relayedPerCpuSecond));
  const value = figure(ours) / figure(theirs);
  return Number.isFinite(value) && one.of === undefined ? `${value.toFixed(2)} ×` : "";
};

const rows = chosenCases.map((one) => [
  one.name,
  ...servers.map((server) => show(server, one)),
  ratio(one, "batch", "coturn"),
  ratio(one, "batch", "pion/turn"),
]);
const header = ["packets relayed a CPU-second", ...servers.map(({ name }) => name), "batch/coturn", "batch/pion"];
const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)));
for (const row of [header, ...rows])
  process.stdout.write(`${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}\n`);
process.stdout.write(`median of ${values.rounds} rounds of ${values.seconds} s (lowest–highest)\n`);
