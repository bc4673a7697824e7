/** `turnpike load`: how much a TURN server relays, and the CPU time that this costs. */
import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { runLoad, type LoadResult, type RoundTrips } from "../load/load.ts";
import type { LoadOptions } from "../load/options.ts";
import { TurnpikeError } from "../errors.ts";
import { hints, withHint } from "./turn-hints.ts";
import { addVerificationOptions, verificationOf, type VerificationFlags } from "./verification-options.ts";
import { parseServerUri } from "./turn-uri.ts";

interface LoadFlags extends VerificationFlags {
  readonly username: string;
  readonly password: string;
  readonly address: string;
  readonly clients: number;
  readonly peers: number;
  readonly bytes: number;
  readonly via: LoadOptions["via"];
  readonly bursts: number;
  readonly window?: number;
  readonly gso?: boolean;
  readonly rate: number;
  readonly warmUp: number;
  readonly seconds: number;
  readonly pid?: number;
  readonly json?: boolean;
}

/** CPU time of a process, in seconds: user and system, all its threads. The clock ticks a hundred times a second. */
const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

const rssBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

const whole =
  (least: number) =>
  (text: string): number => {
    const number = Number(text);
    if (!Number.isSafeInteger(number) || number < least)
      throw new InvalidArgumentError(`expected a whole number, ${least} or more`);
    return number;
  };

const parseVia = (text: string): LoadOptions["via"] => {
  if (text !== "channel" && text !== "indication") throw new InvalidArgumentError("expected channel or indication");
  return text;
};

/** The measurements, with the server's share if its process is known. */
type Outcome = LoadResult & {
  readonly relayedPerSecond: number;
  readonly cpuSeconds?: number;
  readonly relayedPerCpuSecond?: number;
  readonly allocationsPerCpuSecond?: number;
  readonly rssBytes?: number;
};

const shapeOf = ({ clients, bytes, bursts, rate, gso }: LoadFlags): string => {
  const pattern = bursts === 1 ? "single packets" : `bursts of ${bursts}`;
  const pace = rate === 0 ? "" : `, ${rate} a second each`;
  return `${clients} clients, ${bytes} B, ${pattern}${gso === true ? " handed to the kernel in one piece (GSO)" : ""}${pace}`;
};

const micros = ({ p50, p99 }: RoundTrips): string => `p50 ${p50.toFixed(0)} µs, p99 ${p99.toFixed(0)} µs`;

/** Above this share of a core, the load generator cannot send faster. */
const BUSY = 0.95;

const linesOf = (uri: string, flags: LoadFlags, outcome: Outcome): readonly string[] => {
  const { sent, received, direct, ownCpu, relayedPerSecond, relayedPerCpuSecond } = outcome;
  return [
    `${uri}: ${shapeOf(flags)}`,
    `relayed     ${relayedPerSecond} packets a second; sent ${sent}, returned ${received}`,
    `round trip  ${micros(outcome)}${direct === undefined ? "" : `; without the server ${micros(direct)}`}`,
    ...(relayedPerCpuSecond === undefined ? [] : [`server      ${relayedPerCpuSecond} packets a CPU-second`]),
    ...(flags.rate === 0 && ownCpu > BUSY
      ? ["limit       this load used a whole core: the server may relay more packets a second than it was sent"]
      : []),
  ];
};

const run = async (uri: string, flags: LoadFlags): Promise<void> => {
  const { host, port, transport } = parseServerUri(uri);
  /** Of the server: at the start, with all allocations, and before and after the measurement. */
  const cpu: number[] = [];
  let rss = 0;
  const look = (): void => {
    if (flags.pid === undefined) return;
    cpu.push(cpuSeconds(flags.pid));
    rss = rssBytes(flags.pid);
  };
  try {
    look();
  } catch {
    throw new TurnpikeError("usage", `--pid: there is no process ${flags.pid} here`);
  }
  const window = flags.window ?? flags.bursts;
  if (window % flags.bursts !== 0)
    throw new TurnpikeError("usage", `--window ${window} is no multiple of --bursts ${flags.bursts}`);
  const result = await runLoad(
    {
      ...flags,
      server: { address: (await lookup(host)).address, port },
      transport,
      verification: verificationOf(flags, host),
      window,
      burst: flags.bursts,
      gso: flags.gso ?? false,
      payloadBytes: flags.bytes,
      warmUpSeconds: flags.warmUp,
    },
    { allocated: look, begun: look, ended: look },
  ).catch((error: unknown) => {
    throw new TurnpikeError("load-failed", withHint(error, hints));
  });
  // A round trip is two relayed packets: to the peer, and back.
  const relayed = result.received * 2;
  const [start = 0, allocated = 0, begun = 0, ended = 0] = cpu;
  const spent = ended - begun;
  const outcome: Outcome = {
    ...result,
    relayedPerSecond: Math.round(relayed / result.seconds),
    ...(flags.pid === undefined
      ? {}
      : {
          cpuSeconds: spent,
          relayedPerCpuSecond: Math.round(relayed / spent),
          allocationsPerCpuSecond: Math.round(flags.clients / (allocated - start)),
          rssBytes: rss,
        }),
  };
  if (flags.json === true) process.stdout.write(`${JSON.stringify(outcome)}\n`);
  else for (const line of linesOf(uri, flags, outcome)) process.stdout.write(`${line}\n`);
  process.exit(0);
};

export const loadCommand = (): Command =>
  addVerificationOptions(
    new Command("load")
      .description("put load on a TURN server: clients of this process send to echo peers of this process (Linux)")
      .argument("<uri>", "turn:HOST[:PORT][?transport=udp|tcp|tls|dtls], or turns:…")
      .option("-u, --username <name>", "user", "user-1")
      .option("-w, --password <password>", "password of the user", "pass-1")
      .option("--address <ip>", "address of the clients and of the peers", "127.0.0.1")
      .option("--clients <n>", "allocations", whole(1), 100)
      .option("--peers <n>", "echo peers that the clients share", whole(1), 1)
      .option("--bytes <n>", "bytes of a payload", whole(8), 160)
      .option("--via <how>", "channel or indication", parseVia, "channel")
      .option("--bursts <n>", "packets that a client sends back to back; each is a datagram of its own", whole(1), 1)
      .option(
        "--window <n>",
        "packets that a client has under way, a multiple of --bursts (default: one burst)",
        whole(1),
      )
      .option(
        "--rate <n>",
        "packets a second of each client, instead of as many as come back; uses a whole core",
        whole(0),
        0,
      )
      .option("--gso", "hand bursts to the kernel in one piece (UDP GSO), as clients do not: the favourable case")
      .option("--warm-up <seconds>", "seconds before it measures", whole(0), 1)
      .option("--seconds <n>", "seconds that it measures", whole(1), 5)
      .option("--pid <pid>", "process of the server, to measure its CPU time", whole(1))
      .option("--json", "print one line of JSON"),
  ).action((uri: string, flags: LoadFlags) => run(uri, flags));
