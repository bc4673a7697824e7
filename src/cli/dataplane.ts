/** `turnpike dataplane`: the process that relays media; takes the flags and environment of STUNner's `stunnerd`. */
import { availableParallelism, hostname } from "node:os";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { of, type Observable } from "rxjs";
import type { TransportAddress } from "../net/address.ts";
import type { EngineName } from "../dataplane/engines/index.ts";
import { watchConfigs, type ConfigEvent } from "../discovery/client.ts";
import { fetchConfig } from "../discovery/fetch.ts";
import { readConfigFile, watchConfigFile } from "../discovery/file.ts";
import { loadConfig, saveConfig } from "../discovery/last-config.ts";
import { addressOf, withoutUserinfo, type DiscoveryTarget } from "../discovery/origin.ts";
import { expandPlaceholders } from "../discovery/placeholders.ts";
import { partsOf } from "../discovery/protocol.ts";
import { readConfig } from "../discovery/document.ts";
import { configSource } from "../discovery/source.ts";
import { configOfUri } from "../discovery/turn-uri.ts";
import { messageOf, TurnpikeError } from "../errors.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { DISCOVERY_PORT } from "../resources/names.ts";
import { startDataplane } from "../runtime/dataplane.ts";
import { pinoLevel } from "../runtime/log-level.ts";
import { accountingOf, addAccountingOptions, type AccountingFlags } from "./accounting-options.ts";
import { adminTokenOption, readAdminToken } from "./admin-options.ts";
import { engineOption } from "./engine-option.ts";
import { parseOptionalBindAddress, type OptionalBindAddress } from "./go-flags.ts";
import { reachDiscovery, type DiscoveryFlags } from "./discovery-options.ts";
import { journalFolder } from "./journal-folder.ts";
import { createLog, logFormatOption } from "./log-format.ts";
import { addLimitOptions, tuningOf, type LimitFlags } from "./limit-options.ts";
import { onStopSignal } from "./signals.ts";
import { tracerOf, tracesOption } from "./traces-option.ts";
import { isPort } from "../net/host-port.ts";

const DEFAULT_JOURNAL = ".turnpike/dataplane";

interface DataplaneFlags extends LimitFlags, AccountingFlags {
  readonly config?: string;
  readonly watch?: boolean;
  readonly id?: string;
  readonly log?: string;
  readonly verbose?: boolean;
  readonly udpThreadNum: number;
  readonly dryRun?: boolean;
  readonly forceReadyStatus?: boolean;
  readonly engine: EngineName;
  readonly journal?: string;
  readonly alternateServer?: readonly TransportAddress[];
  readonly admin: OptionalBindAddress;
  readonly adminTokenFile?: string;
  readonly traces?: string;
  readonly discoveryTokenFile?: string;
  readonly discoveryCaFile?: string;
  readonly cdsServerAddress?: string;
  readonly cdsServerNamespace?: string;
  readonly cdsServerPort?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly logFormat: string;
}

/** Where configs come from. */
export type Origin =
  | { readonly from: "file"; readonly path: string }
  | { readonly from: "server"; readonly origin: string }
  /** The server that is found in the cluster. */
  | { readonly from: "cluster" }
  | { readonly from: "uri"; readonly config: DataplaneConfig };

const isPath = (text: string): boolean => /^[./~]/.test(text) || /\.(json|ya?ml|conf)$/i.test(text);

const fileOf = (url: string): string => {
  try {
    return fileURLToPath(url);
  } catch {
    throw new RangeError(`${JSON.stringify(url)} is not the URL of a file of this host, file:///PATH`);
  }
};

/** @param what the flag or variable that contains `text`. @throws TurnpikeError `usage`. */
const parseOrigin = (what: string, text: string): Origin => {
  if (text === "k8s") return { from: "cluster" };
  try {
    if (text.startsWith("file://")) return { from: "file", path: fileOf(text) };
    if (isPath(text)) return { from: "file", path: resolve(text) };
    const origin = text.startsWith(":") ? `127.0.0.1${text}` : text;
    addressOf({ origin });
    return { from: "server", origin };
  } catch (error) {
    throw new TurnpikeError("usage", `${what}: ${messageOf(error)}`);
  }
};

/** @throws TurnpikeError `usage`. */
const nodeName = ({ STUNNER_NODENAME: name }: NodeJS.ProcessEnv): string | undefined => {
  if (!name || /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name)) return name || undefined;
  throw new TurnpikeError("usage", `STUNNER_NODENAME ${JSON.stringify(name)} is not a node name (RFC 1123 subdomain)`);
};

/** @throws TurnpikeError `usage`. */
const idOf = (given: string | undefined, environment: NodeJS.ProcessEnv): string => {
  const { STUNNER_NAMESPACE: namespace, STUNNER_NAME: name } = environment;
  const id = given ?? (namespace && name ? `${namespace}/${name}` : `default/stunnerd-${hostname()}`);
  if (partsOf(id) === undefined) throw new TurnpikeError("usage", `--id ${id}: expected NAMESPACE/NAME`);
  return id;
};

type Target = DiscoveryTarget & { readonly id: string };

/** @throws the error of the file system, the server or the document. */
const readOnce = async (
  origin: Exclude<Origin, { readonly from: "cluster" }>,
  target: Target,
): Promise<DataplaneConfig> => {
  if (origin.from === "uri") return origin.config;
  if (origin.from === "file") return readConfigFile(origin.path);
  return readConfig(expandPlaceholders(await fetchConfig(target), process.env));
};

const follow = (
  origin: Exclude<Origin, { readonly from: "uri" | "cluster" }>,
  target: Target,
): Observable<ConfigEvent> => (origin.from === "file" ? watchConfigFile(origin.path) : watchConfigs(target));

/** The flags of STUNner's, and its environment. */
const inCluster = (flags: DataplaneFlags, environment: NodeJS.ProcessEnv): DiscoveryFlags => {
  const address = flags.cdsServerAddress ?? (environment["CDS_SERVER_ADDR"] || undefined);
  const namespace = flags.cdsServerNamespace ?? (environment["CDS_SERVER_NAMESPACE"] || undefined);
  const port = flags.cdsServerPort ?? (environment["CDS_SERVER_PORT"] || undefined);
  return {
    ...(address === undefined ? {} : { cdsServerAddress: address }),
    ...(namespace === undefined ? {} : { cdsServerNamespace: namespace }),
    ...(port === undefined ? {} : { cdsServerPort: port }),
    ...(flags.kubeconfig === undefined ? {} : { kubeconfig: flags.kubeconfig }),
    ...(flags.context === undefined ? {} : { context: flags.context }),
    ...(flags.discoveryTokenFile === undefined ? {} : { discoveryTokenFile: flags.discoveryTokenFile }),
    ...(flags.discoveryCaFile === undefined ? {} : { discoveryCaFile: flags.discoveryCaFile }),
  };
};

const read = (path: string | undefined): string | undefined =>
  path === undefined ? undefined : readFileSync(path, "utf8").trim();

/** The previously active config, if it belongs to this dataplane. */
const loadLast = (path: string, id: string): DataplaneConfig | undefined => {
  const config = loadConfig(path);
  return config?.admin.name === id ? config : undefined;
};

const run = async (uri: string | undefined, flags: DataplaneFlags): Promise<void> => {
  const level = flags.log ?? (flags.verbose === true ? "all:DEBUG" : undefined);
  const log = await createLog({
    name: "turnpike",
    level: pinoLevel(level ?? "all:INFO"),
    fd: 1,
    format: flags.logFormat,
  });
  const text = flags.config ?? (process.env["STUNNER_CONFIG_ORIGIN"] || `:${DISCOVERY_PORT}`);
  const what = flags.config === undefined ? "STUNNER_CONFIG_ORIGIN" : "--config";
  const asked: Origin = uri === undefined ? parseOrigin(what, text) : { from: "uri", config: configOfUri(uri) };
  const found = asked.from === "cluster" ? await reachDiscovery(inCluster(flags, process.env)) : undefined;
  const origin = asked.from === "cluster" ? { from: "server" as const, origin: found?.target.origin ?? "" } : asked;
  // A URI contains a password.
  const name = uri === undefined ? withoutUserinfo(text) : "turn URI";
  const id = idOf(flags.id, process.env);
  const target = {
    origin: origin.from === "server" ? origin.origin : "",
    id,
    node: nodeName(process.env),
    token: read(flags.discoveryTokenFile),
    ca: read(flags.discoveryCaFile),
  };
  if (flags.dryRun === true) {
    await readOnce(origin, target);
    log.info({ origin: name, id }, "the config is sound; nothing was opened");
    return;
  }
  const watches = flags.watch === true && origin.from !== "uri";
  // A config that cannot be read at all ends the start; in watch mode the program waits instead.
  const configs = watches
    ? follow(origin, target)
    : of<ConfigEvent>({ event: "config", config: await readOnce(origin, target) });

  const journal = flags.journal ?? journalFolder(DEFAULT_JOURNAL, (other, why) => log.warn({ journal: other }, why));
  const lastPath = `${journal}/last-config.json`;
  const keepsLast = watches && origin.from === "server";
  const dataplane = await startDataplane({
    origin: name,
    source: () =>
      configSource(configs, {
        origin: name,
        ...(keepsLast ? { lastKnownGood: () => loadLast(lastPath, id) } : {}),
        onConfig: (config) => {
          if (level === undefined) log.level = pinoLevel(config.admin.loglevel ?? "all:INFO");
          if (!keepsLast) return;
          try {
            saveConfig(lastPath, config);
          } catch (error) {
            log.warn({ err: error }, "the last good config cannot be kept on disk");
          }
        },
      }),
    journal,
    engine: flags.engine,
    // More threads than cores would only compete.
    workers: Math.min(flags.udpThreadNum, availableParallelism()),
    relay: { ...tuningOf(flags), alternateServers: flags.alternateServer ?? [] },
    ...(flags.admin === "off" ? {} : { admin: { ...flags.admin, ...readAdminToken(flags.adminTokenFile) } }),
    forceReady: flags.forceReadyStatus === true,
    tracer: await tracerOf(flags.traces, "dataplane", log),
    accounting: await accountingOf(flags, "dataplane"),
    log,
  });
  const { loop } = dataplane;
  loop.onFact((fact) => {
    if (fact.type === "watch.lost" || fact.type === "object.rejected" || fact.type === "listener.failed")
      log.warn(fact.data, fact.type);
    else if (fact.type === "listener.bound" || fact.type === "watch.restored" || fact.type === "config.withdrawn")
      log.info(fact.data, fact.type);
  });
  log.info({ origin: name, id }, "dataplane started");

  onStopSignal((signal) => {
    log.info({ signal }, "draining: open calls go on");
    found?.close();
    void dataplane
      .drain(signal)
      .then(() => dataplane.stop())
      .then(() => process.exit(0));
  });
};

const parseThreads = (text: string): number => {
  if (!/^\d{1,3}$/.test(text)) throw new InvalidArgumentError("expected a whole number");
  return Number(text);
};

const parseServer = (text: string, before: readonly TransportAddress[] = []): readonly TransportAddress[] => {
  const [, host = "", port = ""] = /^\[?([^\]]*)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (isIP(host) === 0 || !isPort(Number(port)))
    throw new InvalidArgumentError("expected IP:PORT; it is advertised to clients as an address");
  return [...before, { address: host, port: Number(port) }];
};

export const dataplaneCommand = (): Command =>
  addAccountingOptions(addLimitOptions(new Command("dataplane")))
    .description("run a TURN relay with configs from a discovery server or a file")
    .argument("[uri]", "turn://USER:PASSWORD@HOST:PORT?transport=udp|tcp: a relay to anywhere, to try it")
    .option(
      "-c, --config <origin>",
      "file, or discovery server: HOST:PORT, http(s)://, ws(s)://; k8s: found in the cluster, by a port-forward",
    )
    .option("-w, --watch", "follow the origin as it changes")
    .option("-i, --id <namespace/name>", "which config (default: STUNNER_NAMESPACE/STUNNER_NAME)")
    .option("-l, --log <spec>", "SCOPE:LEVEL,…, all:INFO say; overrides that of the config")
    .option("-v, --verbose", "the same as --log all:DEBUG")
    .option("-u, --udp-thread-num <n>", "threads that relay, no more than there are cores", parseThreads, 0)
    .addOption(engineOption())
    .option("-d, --dry-run", "read the config and say whether it is sound")
    .option("--force-ready-status", "/ready says yes from the start, and during shutdown")
    .option(
      "--alternate-server <ip:port>",
      "where new clients are sent while this drains; may be given again, for the other family",
      parseServer,
    )
    .option(
      "--journal <dir>",
      `folder of the event log and of the last good config (default: ${DEFAULT_JOURNAL}, with a number where another process has it, below /tmp where it cannot be written to)`,
    )
    .addOption(
      new Option("--admin <host:port>", "Turnpike's own admin API and its page; 0 turns them off")
        .argParser(parseOptionalBindAddress)
        .default("off", "none"),
    )
    .addOption(adminTokenOption())
    .addOption(tracesOption())
    .option("--discovery-token-file <file>", "bearer token for the discovery server")
    .option("--discovery-ca-file <file>", "PEM of the authority of the discovery server's certificate")
    .option("--kubeconfig <file>", "how to reach the cluster for -c k8s (default: as kubectl finds it)")
    .option("--context <name>", "context of the kubeconfig")
    .option("--cds-server-address <address>", "of the discovery server for -c k8s (default: it is looked for)")
    .option("--cds-server-namespace <name>", "namespace of its pod (default: all)")
    .option("--cds-server-port <port>", "its port (default: 13478)")
    .addOption(logFormatOption())
    .action((uri: string | undefined, flags: DataplaneFlags) => run(uri, flags));
