/** `turnpike probe turn:HOST:PORT`: tests whether this relay reaches a backend, and measures the round-trip time. */
import { isIPv6 } from "node:net";
import { performance } from "node:perf_hooks";
import { Command, InvalidArgumentError, Option } from "commander";
import type { TransportAddress } from "../net/address.ts";
import { TurnpikeError } from "../errors.ts";
import { allocateHints, hints, withHint } from "./turn-hints.ts";
import { ephemeralCredentials } from "../turn-client/credentials.ts";
import { TurnClient } from "../turn-client/turn-client.ts";
import { DEFAULT_ADMIN } from "./admin-options.ts";
import { fetchState } from "./status.ts";
import { parseServerUri, type TargetWithUser } from "./turn-uri.ts";
import { addVerificationOptions, verificationOf, type VerificationFlags } from "./verification-options.ts";

interface ProbeOptions extends VerificationFlags {
  readonly user: string;
  readonly password: string;
  readonly secret?: string;
  readonly peer?: TransportAddress;
  readonly count: number;
  readonly size: number;
  readonly timeout: number;
  readonly admin: string;
}

const CHANNEL = 0x4000;

const parsePeer = (text: string): TransportAddress => {
  const match = /^\[?(.+?)\]?:(\d+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError("expected ADDRESS:PORT");
  return { address: match[1] ?? "", port: Number(match[2]) };
};

const parseCount = (text: string): number => {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError("expected a number from 1 to 99999");
  return Number(text);
};

const show = ({ address, port }: TransportAddress): string =>
  isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;

/** A backend that the running gateway admits. */
const findPeer = async (admin: string): Promise<TransportAddress> => {
  const { endpoints } = await fetchState(admin);
  const found = endpoints.find(
    ({ state, ports, address }) => state === "active" && ports.length > 0 && !address.includes("/"),
  );
  if (found === undefined)
    throw new TurnpikeError(
      "probe-failed",
      `the gateway at ${admin} admits no backend with a known port; --peer ADDRESS:PORT names one`,
    );
  return { address: found.address, port: found.ports[0] ?? 0 };
};

const step = async <T>(what: string, work: Promise<T>, known = hints): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    if (error instanceof TurnpikeError) throw error;
    throw new TurnpikeError("probe-failed", `${what}: ${withHint(error, known)}`);
  }
};

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const probe = async ({ username, password, ...target }: TargetWithUser, options: ProbeOptions): Promise<boolean> => {
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  const peer = options.peer ?? (await findPeer(options.admin));
  const credentials =
    options.secret === undefined
      ? { username: username ?? options.user, password: password ?? options.password }
      : ephemeralCredentials(options.secret, options.user, 3600);
  const client = await step(
    `connect to ${target.host}:${target.port} over ${target.transport}`,
    TurnClient.connect({
      ...target,
      ...credentials,
      timeoutMilliseconds: options.timeout,
      ...verificationOf(options),
    }),
  );
  try {
    const family = isIPv6(peer.address) ? "ipv6" : "ipv4";
    const { relayed, mapped, lifetime } = await step("allocate", client.allocate({ family }), allocateHints);
    say(
      `  client   ${show(client.local)} over ${target.transport}${mapped === undefined ? "" : `, seen as ${show(mapped)}`}`,
    );
    say(`  gateway  ${show({ address: target.host, port: target.port })}, user ${credentials.username}`);
    say(`  relay    ${relayed.map(show).join(", ")}, for ${lifetime} s`);
    await step(`reach ${show(peer)}`, client.channelBind(CHANNEL, peer));
    say(`  backend  ${show(peer)}`);

    const roundTripsMs: number[] = [];
    for (let n = 0; n < options.count; n += 1) {
      const payload = Buffer.alloc(options.size, n & 255);
      payload.writeUInt32BE(n, 0);
      const before = performance.now();
      client.sendChannel(CHANNEL, payload);
      // A late answer to the previous packet is not the answer to this one.
      for (;;) {
        const left = options.timeout - (performance.now() - before);
        const answer = left <= 0 ? undefined : await client.receive(left).catch(() => undefined);
        if (answer === undefined) break;
        if (!answer.data.equals(payload)) continue;
        roundTripsMs.push(performance.now() - before);
        break;
      }
      if (roundTripsMs.length === 0) break;
    }
    if (roundTripsMs.length === 0) {
      say(
        `nothing came back from ${show(peer)} within ${options.timeout} ms; the relay admits it, so look at the backend`,
      );
      return false;
    }
    const lost = options.count - roundTripsMs.length;
    const figures = [Math.min(...roundTripsMs), median(roundTripsMs), Math.max(...roundTripsMs)].map((ms) =>
      ms.toFixed(2),
    );
    say(
      `${roundTripsMs.length} of ${options.count} echoed, ${lost} lost; round trip min/median/max ${figures.join("/")} ms`,
    );
    return lost === 0;
  } finally {
    // Deletes the allocation, if there is one.
    await client.refresh(0).catch(() => undefined);
    client.close();
  }
};

export const probeCommand = (): Command =>
  addVerificationOptions(new Command("probe"))
    .description("allocate at a TURN server, echo through to a backend, and print the path and the round-trip times")
    .argument("<uri>", "turn:[USER:PASSWORD@]HOST[:PORT][?transport=udp|tcp|tls|dtls], or turns:…", parseServerUri)
    .option("--user <name>", "user name; with --secret the user-id", process.env["TURNPIKE_USER"] ?? "user-1")
    // Not a default of the option, which --help would print.
    .addOption(new Option("--password <text>", "password").env("TURNPIKE_PASSWORD").default("pass-1"))
    .option("--secret <text>", "shared secret: mint time-limited credentials for --user")
    .option("--peer <address:port>", "backend to reach (default: one that the gateway at --admin admits)", parsePeer)
    .option("--count <n>", "packets to echo", parseCount, 10)
    .option(
      "--size <bytes>",
      "payload of each, at least 4",
      (text: string) => Math.min(Math.max(parseCount(text), 4), 1400),
      160,
    )
    .option("--timeout <ms>", "how long to wait for each answer", parseCount, 2000)
    .option("--admin <host:port>", "admin API to ask for a backend", DEFAULT_ADMIN)
    .action(async (target: TargetWithUser, options: ProbeOptions) => {
      if (!(await probe(target, options))) process.exitCode = 1;
    });
