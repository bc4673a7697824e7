/** `turnpike connect CLIENT SERVER PEER`, also as `turncat`: tunnels any program's traffic through a TURN server. */
import { InvalidArgumentError, Option, Command } from "commander";
import type { TransportAddress } from "../net/address.ts";
import { messageOf, TurnpikeError } from "../errors.ts";
import { KeptAllocation } from "../tunnel/allocation.ts";
import { openLocalTcp, openStdio } from "../tunnel/local-stream.ts";
import { openLocalUdp } from "../tunnel/local-udp.ts";
import type { LocalSide, TunnelEvent } from "../tunnel/tunnel.ts";
import { TurnResponseError, type TurnClientOptions } from "../turn-client/turn-client.ts";
import {
  parseServer,
  resolveHost,
  serverOf,
  type CredentialFlags,
  type Server,
  type ServerArgument,
} from "./connect-server.ts";
import { addDiscoveryOptions } from "./discovery-options.ts";
import { refuseUsage, withProgress } from "./output.ts";
import { onStopSignal } from "./signals.ts";
import { addVerificationOptions, verificationOf, type VerificationFlags } from "./verification-options.ts";
import { isBindablePort, isPort } from "../net/host-port.ts";

type ClientArgument =
  | { readonly side: "udp" | "tcp"; readonly host: string; readonly port: number }
  | { readonly side: "unix"; readonly path: string }
  | { readonly side: "stdio" };

interface PeerArgument extends TransportAddress {
  readonly peers: "udp" | "tcp";
}

interface ConnectFlags extends CredentialFlags, VerificationFlags {
  readonly idleTimeout?: number;
  readonly linger: number;
  readonly verbose?: boolean;
}

const HOST_PORT = /^(\[[^\]]+\]|[^:/[\]]*):(\d{1,5})$/;

const parseAddress = (text: string, grammar: string, isAllowed: (port: number) => boolean): TransportAddress => {
  const [, host, portText] = HOST_PORT.exec(text) ?? [];
  const port = Number(portText);
  if (host === undefined || !isAllowed(port)) throw new InvalidArgumentError(grammar);
  return { address: host.replaceAll(/[[\]]/g, ""), port };
};

export const parseClient = (text: string): ClientArgument => {
  const grammar = "expected udp://ADDRESS:PORT, tcp://ADDRESS:PORT, unix://PATH or - (standard input)";
  if (text === "-" || text.startsWith("file://")) return { side: "stdio" };
  const [, scheme = "", rest = ""] = /^([a-z0-9]+):\/\/(.+)$/.exec(text) ?? [];
  if (scheme === "unix") return { side: "unix", path: rest };
  const side = ({ udp: "udp", udp4: "udp", tcp: "tcp", tcp4: "tcp" } as const)[scheme];
  if (side === undefined) throw new InvalidArgumentError(grammar);
  const { address, port } = parseAddress(rest, grammar, isBindablePort);
  return { side, host: address === "" ? "0.0.0.0" : address, port };
};

export const parsePeer = (text: string): PeerArgument => {
  const grammar = "expected udp://ADDRESS:PORT or tcp://ADDRESS:PORT";
  const [, scheme = "", rest = ""] = /^([a-z0-9]+):\/\/(.+)$/.exec(text) ?? [];
  const peers = ({ udp: "udp", udp4: "udp", tcp: "tcp", tcp4: "tcp" } as const)[scheme];
  if (peers === undefined) throw new InvalidArgumentError(grammar);
  return { peers, ...parseAddress(rest, grammar, isPort) };
};

const seconds =
  (least: number) =>
  (text: string): number => {
    const number = Number(text);
    if (text.trim() === "" || !Number.isFinite(number) || number < least)
      throw new InvalidArgumentError(`expected seconds, ${least} or more`);
    return number;
  };

const hints: Readonly<Record<number, string>> = {
  401: "; user name or password are not the gateway's",
  400: "; user name or password may not be the gateway's",
  403: "; no route of this listener names that peer",
  442: "; the listener has no TCP peers",
};

/** @throws TurnpikeError `connect-failed`. */
const step = async <T>(what: string, work: Promise<T>): Promise<T> => {
  try {
    return await withProgress(what, work);
  } catch (error) {
    if (error instanceof TurnpikeError) throw error;
    const hint = error instanceof TurnResponseError ? (hints[error.code] ?? "") : "";
    throw new TurnpikeError("connect-failed", `${what}: ${messageOf(error)}${hint}`);
  }
};

const show = ({ address, port }: TransportAddress): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

const clientOptions = (server: Server, flags: ConnectFlags): (() => TurnClientOptions) => {
  const { host, name, port, transport, credentials } = server;
  const verification = verificationOf(flags, name);
  return () => ({ host, port, transport, ...verification, ...credentials() });
};

/** Fails at the start, so that clients do not have to find out what is wrong. */
const tryOnce = async (server: () => TurnClientOptions, { peers, ...peer }: PeerArgument): Promise<void> => {
  const { host, port, transport } = server();
  const allocation = await step(
    `allocate at ${show({ address: host, port })} over ${String(transport)}`,
    KeptAllocation.open({
      server: server(),
      family: peer.address.includes(":") ? "ipv6" : "ipv4",
      peers,
      onLost: () => undefined,
    }),
  );
  try {
    await step(`reach ${show(peer)}`, allocation.client.createPermission(peer.address));
  } finally {
    await allocation.close();
  }
};

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const openSide = async (
  client: ClientArgument,
  { peers, ...peer }: PeerArgument,
  server: () => TurnClientOptions,
  flags: ConnectFlags,
): Promise<LocalSide> => {
  const report = ({ event, client: who, reason }: TunnelEvent): void => {
    if (event === "failed" || reason !== undefined || flags.verbose === true)
      say(`${who}: ${event}${reason === undefined ? "" : `, ${reason}`}`);
  };
  const common = { server, peer, report };
  const stream = { ...common, peers, lingerMs: flags.linger * 1000 };
  try {
    switch (client.side) {
      case "stdio":
        return openStdio(stream);
      case "unix":
        return await openLocalTcp({ ...stream, listen: { path: client.path } });
      case "tcp":
        return await openLocalTcp({ ...stream, listen: { host: await resolveHost(client.host), port: client.port } });
      case "udp":
        return await openLocalUdp({
          ...common,
          host: await resolveHost(client.host),
          port: client.port,
          ...(flags.idleTimeout === undefined ? {} : { idleMs: flags.idleTimeout * 1000 }),
        });
      default:
        return client satisfies never;
    }
  } catch (error) {
    if (error instanceof TurnpikeError) throw error;
    throw new TurnpikeError("bind-failed", messageOf(error));
  }
};

const run = async (
  client: ClientArgument,
  argument: ServerArgument,
  asked: PeerArgument,
  flags: ConnectFlags,
): Promise<void> => {
  if (asked.peers === "tcp" && client.side === "udp")
    refuseUsage("datagrams cannot be carried to a TCP peer: use tcp:// on both sides, or udp://");
  const server = await serverOf(argument, flags);
  if (asked.peers === "tcp" && (server.transport === "udp" || server.transport === "dtls"))
    refuseUsage(`TCP peers are reached over TCP or TLS (RFC 6062), not over ${server.transport}`);
  const peer = { ...asked, address: await resolveHost(asked.address) };
  const options = clientOptions(server, flags);
  await tryOnce(options, peer);

  const side = await openSide(client, peer, options, flags);
  const at = show({ address: server.host, port: server.port });
  say(`${side.at} ⇄ turn ${at} over ${server.transport} ⇄ ${peer.peers}://${show(peer)}`);
  onStopSignal(() => void side.close().then(() => process.exit(0)));
  await side.ended.catch((error: unknown) => {
    throw new TurnpikeError("connect-failed", messageOf(error));
  });
  process.exit(0);
};

export const connectCommand = (): Command =>
  addVerificationOptions(addDiscoveryOptions(new Command("connect")))
    .description("carry what programs send through a TURN server to a peer; also as turncat")
    .argument("<client>", "udp://ADDRESS:PORT, tcp://ADDRESS:PORT, unix://PATH or - (standard input)", parseClient)
    .argument(
      "<server>",
      "turn://[USER:PASSWORD@]HOST[:PORT][?transport=udp|tcp|tls|dtls] or k8s://NAMESPACE/GATEWAY:LISTENER",
      parseServer,
    )
    .argument("<peer>", "udp://ADDRESS:PORT, or tcp://ADDRESS:PORT where the route allows TCP", parsePeer)
    .addOption(new Option("--username <name>", "user name; with a shared secret the user-id").env("TURNPIKE_USER"))
    .addOption(new Option("--password <text>", "password").env("TURNPIKE_PASSWORD"))
    .addOption(new Option("--secret <text>", "shared secret: make time-limited credentials").env("TURNPIKE_SECRET"))
    .option("--ttl <seconds>", "how long those are good for", seconds(1), 86_400)
    .option("--idle-timeout <seconds>", "forget a UDP client that is silent for so long (default: never)", seconds(1))
    .option("--linger <seconds>", "how long to keep receiving after the program closes its input", seconds(0.01), 1)
    .option("-v, --verbose", "say when clients come and go")
    .addOption(new Option("-l, --log <spec>", "taken and ignored").hideHelp())
    .action(run);
