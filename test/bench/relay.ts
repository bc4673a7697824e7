/**
 * `npm run bench:relay`: packets relayed and allocations made for each CPU-second, and round trips; ours beside coturn and
 * pion/turn. Each server has one core, the load another; all take turns within every round. Clients and peers send packet by
 * packet, over loopback, or over a veth pair to a network of their own.
 *
 *     npm run bench:relay -- [--rounds 5] [--seconds 3] [--case NAME,…] [--server NAME,…] [--opponent NAME=COMMAND]
 *                            [--over lo|veth|veth-gro] [--profile]
 *
 * `--case` and `--server` take parts of names; "turnpike dgram" and "turnpike two workers" are measured only if they are named.
 * `--profile` prints the time of each system call (perf; it costs a few percent). `--opponent` measures another server as well:
 * its command, with `{address}`, `{port}`, `{secure-port}` and `{folder}`. TURNSERVER names another build of coturn. Five rounds
 * take about half an hour; progress is printed on stderr.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release as kernel } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { LoadResult } from "../../src/load/load.ts";
import { profiled, showProfile, type Profile } from "./relay-profile.ts";
import { links, openLink, type LinkName } from "./relay-link.ts";
import { credentials, namedServer, startSubject, subjects, type Ports, type Subject } from "./relay-servers.ts";

const SERVER_CORE = "0";
const LOAD_CORE = "1";
const TURNPIKE = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));

interface Case {
  readonly name: string;
  readonly transport?: "tcp" | "tls" | "dtls";
  readonly flags: readonly string[];
  /** What is compared: packets for each CPU-second, unless given. */
  readonly of?: "round trips" | "allocations";
}

const flags = (text: string): readonly string[] => text.split(" ");

const cases: readonly Case[] = [
  { name: "single packets, 160 B, 400 clients", flags: flags("--clients 400 --peers 400 --bytes 160") },
  {
    name: "voice: 1,000 clients, 50/s, a peer each",
    flags: flags("--clients 1000 --peers 1000 --bytes 160 --rate 50"),
  },
  { name: "voice: 1,000 clients, 50/s, one peer", flags: flags("--clients 1000 --bytes 160 --rate 50") },
  { name: "bursts of 4, 160 B", flags: flags("--clients 100 --peers 100 --bytes 160 --bursts 4") },
  { name: "bursts of 4, 1,200 B", flags: flags("--clients 100 --peers 100 --bytes 1200 --bursts 4") },
  { name: "bursts of 16, 1,200 B", flags: flags("--clients 100 --peers 100 --bytes 1200 --bursts 16") },
  { name: "indications, single, 160 B", flags: flags("--clients 400 --peers 400 --bytes 160 --via indication") },
  { name: "TCP, single, 160 B", transport: "tcp", flags: flags("--clients 100 --peers 100 --bytes 160") },
  { name: "TLS, single, 160 B", transport: "tls", flags: flags("--clients 100 --peers 100 --bytes 160 --insecure") },
  { name: "DTLS, single, 160 B", transport: "dtls", flags: flags("--clients 100 --peers 100 --bytes 160 --insecure") },
  {
    name: "the kernel gets bursts of 8 in one piece (GSO)",
    flags: flags("--clients 100 --peers 100 --bytes 160 --bursts 8 --gso"),
  },
  {
    name: "round trip at 5,000 packets/s",
    of: "round trips",
    flags: flags("--clients 100 --peers 100 --bytes 160 --rate 50"),
  },
  // As many as a process may have sockets for here; from another address, as one does not have enough ports.
  {
    name: "15,000 allocations",
    of: "allocations",
    flags: flags("--clients 15000 --warm-up 0"),
  },
];

type Outcome = LoadResult & {
  readonly relayedPerCpuSecond: number;
  readonly allocationsPerCpuSecond: number;
  readonly rssBytes: number;
  /** Of the server before there was anything to do. */
  readonly idleBytes: number;
  readonly profile: Profile | undefined;
};
type Measured = Omit<Outcome, "idleBytes" | "profile">;

const load = (ports: Ports, pid: number, one: Case, seconds: string): Measured => {
  const { transport } = one;
  const port = transport === "tls" || transport === "dtls" ? ports.secure : ports.plain;
  const uri = `turn:${link.server}:${port}${transport === undefined ? "" : `?transport=${transport}`}`;
  const args = [
    ["-c", LOAD_CORE, TURNPIKE, "load", uri, "--json", "--seconds", seconds, "--pid", String(pid)],
    ["-u", credentials.username, "-w", credentials.password],
    ["--address", link.load[one.of === "allocations" ? 1 : 0], ...one.flags],
  ].flat();
  const [program = "", ...rest] = link.asLoad(["taskset", ...args]);
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${one.name}: ${stderr}`);
  return JSON.parse(stdout) as Measured;
};

const sorted = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1] ?? Number.NaN;
const spread = (values: readonly number[], show: (value: number) => string): string =>
  `${show(median(values))} (${show(sorted(values)[0] ?? 0)}–${show(sorted(values).at(-1) ?? 0)})`;
const thousands = (value: number): string => `${(value / 1000).toFixed(0)}k`;
const whole = (value: number): string => value.toFixed(0);

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    case: { type: "string" },
    server: { type: "string" },
    over: { type: "string", default: "lo" },
    profile: { type: "boolean", default: false },
    opponent: { type: "string", multiple: true, default: [] },
  },
});

const isLink = (name: string): name is LinkName => (links as readonly string[]).includes(name);
if (!isLink(values.over)) {
  process.stderr.write(`--over: unknown "${values.over}" (known: ${links.join(", ")})\n`);
  process.exit(2);
}
const link = await openLink(values.over);

interface Named {
  readonly name: string;
  readonly isExtra?: boolean;
}

/** Those whose names contain one of `names`; without `names`, all that are no extras. */
const chosen = <T extends Named>(option: string, all: readonly T[], names: string | undefined): readonly T[] => {
  if (names === undefined) return all.filter(({ isExtra = false }) => !isExtra);
  const wanted = names.split(/,(?! |\d)/);
  const unknown = wanted.filter((one) => !all.some(({ name }) => name.includes(one)));
  if (unknown.length > 0) {
    const known = all.map(({ name }) => `"${name}"`).join(", ");
    process.stderr.write(`--${option}: unknown name "${unknown.join('", "')}" (known: ${known})\n`);
    process.exit(2);
  }
  const exact = all.filter(({ name }) => wanted.includes(name));
  return all.filter(
    (one) => exact.includes(one) || wanted.some((name) => one.isExtra !== true && one.name.includes(name)),
  );
};

const servers = chosen("server", [...(await subjects()), ...values.opponent.map(namedServer)], values.server);
const chosenCases = chosen("case", cases, values.case);
const results = new Map<string, Map<string, Outcome[]>>();
const failures: string[] = [];

const measure = async (server: Subject, one: Case): Promise<void> => {
  const running = await startSubject(server, SERVER_CORE, link);
  try {
    const idleBytes = running.rssBytes();
    const work = (): Measured => load(running.ports, running.pid, one, values.seconds);
    const { result, profile } = values.profile
      ? await profiled(running.pid, work)
      : { result: work(), profile: undefined };
    const outcome = { ...result, idleBytes, profile };
    const ofCase = results.get(one.name) ?? new Map<string, Outcome[]>();
    results.set(one.name, ofCase);
    ofCase.set(server.name, [...(ofCase.get(server.name) ?? []), outcome]);
  } finally {
    await running.stop();
  }
};

for (let round = 1; round <= Number(values.rounds); round += 1)
  for (const one of chosenCases) {
    process.stderr.write(`round ${round} of ${values.rounds}: ${one.name}\n`);
    for (const server of servers)
      await measure(server, one).catch((error: unknown) => {
        failures.push(
          `round ${round}, ${server.name}, ${error instanceof Error ? error.message.trim() : String(error)}`,
        );
      });
  }

const outcomesOf = (server: string, one: Case): readonly Outcome[] => results.get(one.name)?.get(server) ?? [];

const show = (server: Subject, one: Case): string => {
  const outcomes = outcomesOf(server.name, one);
  if (outcomes.length === 0) return "–";
  if (one.of === "allocations") {
    const count = Number(one.flags[1]);
    const perCpuSecond = outcomes.map(({ allocationsPerCpuSecond }) => allocationsPerCpuSecond);
    const perSecond = median(outcomes.map(({ allocateSeconds }) => count / allocateSeconds));
    const bytes = median(outcomes.map(({ rssBytes, idleBytes }) => (rssBytes - idleBytes) / count));
    return `${spread(perCpuSecond, whole)}; ${whole(perSecond)}/s, ${(bytes / 1024).toFixed(1)} KiB`;
  }
  if (one.of === "round trips") {
    const [p50, p99] = [outcomes.map((outcome) => outcome.p50), outcomes.map((outcome) => outcome.p99)];
    return `${spread(p50, whole)}, p99 ${spread(p99, whole)} µs`;
  }
  return spread(
    outcomes.map(({ relayedPerCpuSecond }) => relayedPerCpuSecond),
    thousands,
  );
};

const ratio = (one: Case, theirs: string): string => {
  if (one.of === "round trips") return "";
  const key = one.of === "allocations" ? "allocationsPerCpuSecond" : "relayedPerCpuSecond";
  const figure = (name: string): number => median(outcomesOf(name, one).map((outcome) => outcome[key]));
  const value = figure("turnpike") / figure(theirs);
  return Number.isFinite(value) ? `${value.toFixed(2)} ×` : "";
};

const rivals = servers.filter(({ name }) => !name.startsWith("turnpike")).map(({ name }) => name);
const rows = chosenCases.map((one) => [
  one.name,
  ...servers.map((server) => show(server, one)),
  ...rivals.map((name) => ratio(one, name)),
]);
const header = [
  "packets relayed a CPU-second",
  ...servers.map(({ name }) => name),
  ...rivals.map((name) => `turnpike/${name}`),
];
const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)));
for (const row of [header, ...rows])
  process.stdout.write(`${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}\n`);

if (values.profile)
  for (const one of chosenCases.filter(({ of }) => of === undefined))
    for (const { name } of servers)
      for (const { profile, relayedPerCpuSecond } of outcomesOf(name, one))
        if (profile !== undefined)
          process.stdout.write(
            `${one.name}, ${name}: of ${(1e6 / relayedPerCpuSecond).toFixed(2)} µs a packet ${showProfile(profile, 1e6 / relayedPerCpuSecond)}\n`,
          );

/** What the load itself takes from a client to a peer and back, without a server. */
const direct = chosenCases
  .filter(({ of }) => of === "round trips")
  .flatMap((one) => servers.flatMap(({ name }) => outcomesOf(name, one)))
  .flatMap((outcome) => (outcome.direct === undefined ? [] : [outcome.direct]));
const memory = /MemTotal:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
process.stdout.write(
  [
    `median of ${values.rounds} rounds of ${values.seconds} s (lowest–highest), over ${values.over}`,
    ...(direct.length === 0
      ? []
      : [
          `without a server a round trip takes p50 ${whole(median(direct.map(({ p50 }) => p50)))}, p99 ${whole(median(direct.map(({ p99 }) => p99)))} µs`,
        ]),
    ...servers.map(({ name, version }) => `${name}: ${version}`),
    `${cpus()[0]?.model}, ${cpus().length} cores, ${(Number(memory) / 2 ** 20).toFixed(0)} GiB, Linux ${kernel()}`,
    ...failures,
  ]
    .map((line) => `${line}\n`)
    .join(""),
);
await link.close();
if (failures.length > 0) process.exitCode = 1;
