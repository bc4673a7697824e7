/** `turnpike standalone [DIR]`: a gateway from a directory of manifests, on this machine; without one, the example. */
import { statSync } from "node:fs";
import { isIP } from "node:net";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { pino } from "pino";
import type { EngineName } from "../dataplane/engines/index.ts";
import { messageOf, TurnpikeError } from "../errors.ts";
import type { FactLine } from "../journal/fact.ts";
import type { WriterOptions } from "../journal/writer.ts";
import type { AuthConfig } from "../resources/dataplane-config.ts";
import { nameOfObject, type Name } from "../resources/keys.ts";
import { startStandalone, type Standalone } from "../runtime/standalone.ts";
import { asTyped } from "./as-typed.ts";
import { accountingOf, addAccountingOptions, type AccountingFlags } from "./accounting-options.ts";
import { adminTokenOption, DEFAULT_ADMIN, parseAdmin, readAdminToken, type HostAndPort } from "./admin-options.ts";
import { echoAddressOf, startEcho, type Echo } from "./echo.ts";
import { engineOption } from "./engine-option.ts";
import { journalFolder } from "./journal-folder.ts";
import { addLimitOptions, tuningOf, type LimitFlags } from "./limit-options.ts";
import { rejectionSentence, sentence } from "../journal/sentence.ts";
import { onStopSignal } from "./signals.ts";
import { tracerOf, tracesOption } from "./traces-option.ts";

/** A Gateway, a route, and a backend that answers; part of the package. */
const EXAMPLE = fileURLToPath(new URL("../../examples/quickstart", import.meta.url));

const DEFAULT_JOURNAL = ".turnpike/journal";

interface StandaloneCommandOptions extends LimitFlags, AccountingFlags {
  readonly address: readonly string[];
  readonly journal: string;
  readonly admin: HostAndPort;
  readonly adminTokenFile?: string;
  readonly fsync: NonNullable<WriterOptions["fsync"]>;
  readonly segmentMib: number;
  readonly keepSegments: number;
  readonly logLevel: string;
  readonly requireReferenceGrants?: boolean;
  readonly quiet?: boolean;
  readonly reveal?: boolean;
  readonly traces?: string;
  readonly engine: EngineName;
  readonly workers?: number;
}

/** As given on the command line. */
type StandaloneFlags = Omit<StandaloneCommandOptions, "address" | "journal"> &
  Partial<Pick<StandaloneCommandOptions, "address" | "journal">>;

const parseAddress = (text: string, before: readonly string[] | undefined): readonly string[] => {
  if (isIP(text) === 0) throw new InvalidArgumentError("expected an IP address");
  return [...(before ?? []), text];
};

const parseFsync = (text: string): string => {
  if (!["always", "interval", "never"].includes(text))
    throw new InvalidArgumentError("expected always, interval or never");
  return text;
};

const parseCount = (text: string): number => {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("expected a whole number, 1 or more");
  return Number(text);
};

/** Facts that are printed on the terminal as they happen. */
const TOLD: ReadonlySet<FactLine["type"]> = new Set([
  "object.rejected",
  "object.corrected",
  "watch.lost",
  "watch.restored",
  "effect.failed",
  "listener.bound",
  "listener.failed",
  "listener.closed",
  "gateway.removed",
  "endpoint.revoked",
  "allocation.opened",
  "allocation.moved",
  "allocation.closed",
  "client.redirected",
  "peer.refused",
  "journal.recovered",
]);

const MAX_LISTED = 10;

const HIDDEN = "(not shown: stdout is no terminal, see --reveal)";

const list = (lines: readonly string[]): string =>
  [...lines.slice(0, MAX_LISTED), ...(lines.length > MAX_LISTED ? [`… and ${lines.length - MAX_LISTED} more`] : [])]
    .map((line) => `    ${line}\n`)
    .join("");

/** Echo backends that the manifests request, while they request them. */
const followEchoes = (
  standalone: Standalone,
  say: (text: string) => void,
): { settled(): Promise<void>; close(): void } => {
  const echoes = new Map<string, Echo | undefined>();
  const starting = new Set<Promise<void>>();
  const open = (host: string, port: number): void => {
    const at = `${host}:${port}`;
    if (echoes.has(at)) return;
    echoes.set(at, undefined);
    const start: Promise<void> = startEcho(host, port)
      .then(
        (echo) => void echoes.set(at, echo),
        (error: unknown) => {
          echoes.delete(at);
          say(`echo backend ${at} not started: ${messageOf(error)}`);
        },
      )
      .finally(() => starting.delete(start));
    starting.add(start);
  };
  const follow = (): void => {
    const wanted = standalone.loop.core.view.list("Service").flatMap((service) => echoAddressOf(service) ?? []);
    for (const { host, port } of wanted) open(host, port);
    for (const [at, echo] of echoes)
      if (echo !== undefined && !wanted.some(({ host, port }) => `${host}:${port}` === at)) {
        echo.close();
        echoes.delete(at);
      }
  };
  standalone.loop.onFact((fact) => {
    if (
      fact.type === "objects.synced" ||
      ((fact.type === "object.seen" || fact.type === "object.gone") && fact.data.kind === "Service")
    )
      follow();
  });
  follow();
  return {
    settled: async () => void (await Promise.all(starting)),
    close: () => {
      for (const echo of echoes.values()) echo?.close();
    },
  };
};

/** How clients of each served Gateway authenticate; secrets are revealed. */
const authsOf = ({ loop: { core }, reveal }: Standalone): readonly (AuthConfig & { readonly gateway: Name })[] =>
  core.view.list("Gateway").flatMap((object) => {
    const gateway = nameOfObject("Gateway", object);
    const config = core.rendered(gateway)?.config;
    return config === undefined ? [] : [{ gateway, ...reveal(config).auth }];
  });

/** Credentials from the manifests, for the person at the terminal; they are not printed to a log. */
const credentialsOf = (standalone: Standalone, isShown: boolean): readonly string[] =>
  authsOf(standalone).map(({ gateway, type, realm, credentials }) => {
    const show = (name: string): string => (isShown ? (credentials[name] ?? "") : HIDDEN);
    const secret =
      type === "static"
        ? `user ${credentials["username"] ?? ""}, password ${show("password")}`
        : type === "ephemeral"
          ? `time-limited, from shared secret ${show("secret")}`
          : "none (STUN only)";
    return `${gateway}: ${secret}, realm ${realm}`;
  });

/** The fragment of the link to the page `/call`: the first pair of user and password, if they may be shown. */
const callFragment = (standalone: Standalone, isShown: boolean): string => {
  const found = isShown ? authsOf(standalone).find(({ type }) => type === "static") : undefined;
  if (found === undefined) return "";
  const { username = "", password = "" } = found.credentials;
  return `#${new URLSearchParams({ user: username, password }).toString()}`;
};

const announce = (standalone: Standalone, options: StandaloneCommandOptions): string => {
  const { gateways, clusters, rejections } = standalone.state();
  const listeners = gateways.flatMap((gateway) =>
    gateway.listeners.map(
      ({ name, protocol, at, state, why }) =>
        `${protocol.padEnd(8)} ${state === "serving" ? at.join(", ") : `not serving (${state}${why === "" ? "" : `: ${why}`})`}  ${gateway.name}/${name}`,
    ),
  );
  const first = gateways
    .flatMap(({ listeners: all }) => all)
    .find(({ at, protocol }) => at.length > 0 && protocol === "TURN-UDP");
  const isShown = options.reveal === true || process.stdout.isTTY;
  const admin = `${standalone.admin.host}:${standalone.admin.port}`;
  const adminOption = admin === DEFAULT_ADMIN ? "" : ` --admin ${admin}`;
  return [
    "\n  Listening\n",
    list(listeners.length > 0 ? listeners : ["nothing: no Gateway of a GatewayClass with our controllerName"]),
    "  Credentials\n",
    list(credentialsOf(standalone, isShown)),
    "  Backends that may be reached\n",
    list(
      clusters.map(
        ({ name, endpoints }) =>
          `${endpoints.slice(0, 5).join(", ") || "none"}${endpoints.length > 5 ? `, … (${endpoints.length})` : ""}  by route ${name}`,
      ),
    ),
    ...(rejections.length === 0
      ? []
      : ["  Manifests that are refused, in whole or in part\n", list(rejections.map(rejectionSentence))]),
    `  Event log   ${options.journal}\n  Admin API   http://${admin}\n\n`,
    first === undefined ? "" : `  Try it:     ${asTyped()} probe turn:${first.at[0]}${adminOption}\n`,
    first === undefined ? "" : `  Call it:    http://${admin}/call${callFragment(standalone, isShown)}\n`,
    `  Look at it: http://${admin}/ or ${asTyped()} status${adminOption}\n  Stop it:    Ctrl-C\n\n`,
  ].join("");
};

/** For users who named no directory. */
const exampleNote = (): string =>
  [
    "No directory was named, so this runs the example. To have one to edit, which is followed as it changes:\n",
    `  cp -r ${EXAMPLE} gateway && ${asTyped()} standalone gateway`,
  ].join("\n");

const run = async (directory: string, options: StandaloneCommandOptions): Promise<void> => {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new TurnpikeError("usage", `${directory} is not a directory`);
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  const log = pino({ name: "turnpike", level: options.logLevel }, pino.destination({ fd: 2, sync: true }));
  const standalone = await startStandalone({
    directory,
    addresses: options.address,
    journal: options.journal,
    journalOptions: {
      fsync: options.fsync,
      segmentBytes: options.segmentMib * 2 ** 20,
      keepSegments: options.keepSegments,
    },
    requireReferenceGrants: options.requireReferenceGrants === true,
    admin: { ...options.admin, ...readAdminToken(options.adminTokenFile) },
    engine: options.engine,
    workers: options.workers,
    relay: tuningOf(options),
    tracer: await tracerOf(options.traces, "standalone", log),
    accounting: await accountingOf(options, "standalone"),
    log,
  }).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE" && !(error instanceof TurnpikeError))
      throw new TurnpikeError(
        "admin-bind",
        `the admin address ${options.admin.host}:${options.admin.port} is in use; --admin chooses another`,
      );
    throw error;
  });
  let announced = false;
  standalone.loop.onFact((fact) => {
    if (TOLD.has(fact.type) && options.quiet !== true && (announced || fact.type !== "listener.bound"))
      say(sentence(fact));
  });

  onStopSignal(
    (signal) => {
      say(`\n${signal}: tearing down`);
      echoes.close();
      void standalone.stop(signal).then((left) => {
        say(left.length === 0 ? "stopped" : `stopped; not torn down in time: ${left.join(", ")}`);
        process.exit(left.length === 0 ? 0 : 1);
      });
    },
    () => say("stopped at once, as asked twice"),
  );

  const echoes = followEchoes(standalone, say);
  await standalone.started;
  await echoes.settled();
  announced = true;
  say(announce(standalone, options));
};

export const standaloneCommand = (): Command =>
  addAccountingOptions(addLimitOptions(new Command("standalone")))
    .description("run a gateway from a directory of manifests, on this machine")
    .argument(
      "[dir]",
      "directory of manifests; changes to it are followed (default: an example, with a backend that answers)",
    )
    .option(
      "--address <ip>",
      "listen and relay here; may be given again, also for IPv6 (default: 127.0.0.1)",
      parseAddress,
    )
    .option(
      "--journal <dir>",
      `folder of the event log (default: ${DEFAULT_JOURNAL}, with a number where another process has it, below /tmp where it cannot be written to)`,
    )
    .option("--fsync <when>", "when the log must be on disk: always, interval (1 s) or never", parseFsync, "interval")
    .option("--segment-mib <n>", "size at which a segment of the log is closed", parseCount, 64)
    .option("--keep-segments <n>", "closed segments of the log to keep", parseCount, 16)
    .option("--admin <host:port>", "address of the admin API and its page", parseAdmin, parseAdmin(DEFAULT_ADMIN))
    .addOption(adminTokenOption())
    .option(
      "--require-reference-grants",
      "stunner.l7mp.io routes and certificateRefs, too, need a ReferenceGrant for another namespace",
    )
    .option("--workers <n>", "threads that relay (default: none but this)", parseCount)
    .addOption(engineOption())
    .addOption(tracesOption())
    .option("--log-level <level>", "of the program's own messages on stderr", "warn")
    .option("--quiet", "print no events")
    .option("--reveal", "print credentials although stdout is no terminal")
    .action((directory: string | undefined, options: StandaloneFlags) => {
      const say = (text: string): void => void process.stdout.write(`${text}\n`);
      if (directory === undefined) say(exampleNote());
      return run(directory ?? EXAMPLE, {
        ...options,
        address: options.address ?? ["127.0.0.1"],
        journal:
          options.journal ?? journalFolder(DEFAULT_JOURNAL, (other, why) => say(`${why}, so the log is in ${other}`)),
      });
    });
