/** `turnpike load`: how much a TURN server relays, and what that costs it. */
import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { runLoad } from "../load/load.ts";
import type { LoadOptions } from "../load/options.ts";
import { parseTurnUri } from "./turn-uri.ts";

interface LoadFlags {
  readonly username: string;
  readonly password: string;
  readonly address: string;
  readonly clients: number;
  readonly peers: number;
  readonly bytes: number;
  readonly via: LoadOptions["via"];
  readonly window: number;
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

const run = async (uri: string, flags: LoadFlags): Promise<void> => {
  const { host, port, transport } = parseTurnUri(uri);
  const cpu: number[] = [];
  let rss = 0;
  const look = (): void => {
    if (flags.pid === undefined) return;
    cpu.push(cpuSeconds(flags.pid));
    rss = rssBytes(flags.pid);
  };
  const result = await runLoad(
    {
      ...flags,
      server: { address: host, port },
      transport,
      payloadBytes: flags.bytes,
      warmUpSeconds: flags.warmUp,
    },
    { begun: look, ended: look },
  );
  // A round trip is two packets relayed: to the peer, and back.
  const relayed = result.received * 2;
  const spent = flags.pid === undefined ? undefined : (cpu[1] ?? 0) - (cpu[0] ?? 0);
  const told = {
    ...result,
    relayedPerSecond: Math.round(relayed / result.seconds),
    ...(spent === undefined
      ? {}
      : { cpuSeconds: spent, relayedPerCpuSecond: Math.round(relayed / spent), rssBytes: rss }),
  };
  if (flags.json === true) process.stdout.write(`${JSON.stringify(told)}\n`);
  else
    process.stdout.write(
      `${told.relayedPerSecond} packets a second relayed (${flags.clients} clients, ${flags.bytes} bytes); ` +
        `sent ${result.sent}, returned ${result.received}; round trip p50 ${result.p50.toFixed(0)} µs, p99 ${result.p99.toFixed(0)} µs` +
        (told.relayedPerCpuSecond === undefined ? "\n" : `; ${told.relayedPerCpuSecond} a CPU-second of the server\n`),
    );
  process.exit(0);
};

export const loadCommand = (): Command =>
  new Command("load")
    .description("load a TURN server with clients that talk to echo peers of this process (Linux)")
    .argument("<uri>", "turn:ADDRESS:PORT?transport=udp|tcp")
    .option("-u, --username <name>", "user", "user-1")
    .option("-w, --password <password>", "of the user", "pass-1")
    .option("--address <ip>", "address of the clients and of the peers", "127.0.0.1")
    .option("--clients <n>", "allocations", whole(1), 100)
    .option("--peers <n>", "echo peers that they share", whole(1), 1)
    .option("--bytes <n>", "of a payload", whole(8), 160)
    .option("--via <how>", "channel or indication", parseVia, "channel")
    .option("--window <n>", "packets under way for each client", whole(1), 8)
    .option("--rate <n>", "packets a second of each client, instead of as many as come back", whole(0), 0)
    .option("--warm-up <seconds>", "before it is measured", whole(0), 1)
    .option("--seconds <n>", "that are measured", whole(1), 5)
    .option("--pid <pid>", "process of the server, whose CPU time is looked at", whole(1))
    .option("--json", "one line of JSON")
    .action((uri: string, flags: LoadFlags) => run(uri, flags));
