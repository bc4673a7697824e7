/** The config discovery server: named, or found in a cluster and reached through its API server. */
import { readFileSync } from "node:fs";
import type { KubeConfig } from "@kubernetes/client-node";
import { Option, type Command } from "commander";
import { messageOf, TurnpikeError } from "../errors.ts";
import { apiOf } from "../kubernetes/connect.ts";
import { loadKubeconfig, namespaceOf } from "../kubernetes/kubeconfig.ts";
import { findPods, forwardPort, type Pod } from "../kubernetes/port-forward.ts";
import { addressOf, type DiscoveryTarget } from "../discovery/origin.ts";
import { partsOf } from "../discovery/protocol.ts";
import { DISCOVERY_LABEL, DISCOVERY_PORT } from "../resources/names.ts";
import { addressAt } from "./address-at.ts";
import { isPort } from "../net/host-port.ts";
import { refuseUsage, withProgress } from "./output.ts";

export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

export interface DiscoveryFlags extends ClusterFlags {
  readonly discovery?: string;
  readonly discoveryTokenFile?: string;
  readonly discoveryCaFile?: string;
  readonly discoveryNamespace?: string;
  readonly cdsServerAddress?: string;
  readonly cdsServerNamespace?: string;
  readonly cdsServerPort?: string;
}

export const addClusterOptions = (command: Command): Command =>
  command
    .option("--kubeconfig <file>", "how to reach the cluster (default: as kubectl finds it)")
    .option("--context <name>", "context of the kubeconfig (default: its current one)")
    .option("-n, --namespace <name>", "namespace (default: the context's, or default)");

export const addDiscoveryOptions = (command: Command): Command =>
  addClusterOptions(command)
    .addOption(
      new Option(
        "--discovery <origin>",
        "config discovery server, HOST:PORT or a URL (default: found in the cluster and reached by a port-forward)",
      ).env("TURNPIKE_DISCOVERY"),
    )
    .option("--discovery-token-file <file>", "bearer token for the discovery server")
    .option("--discovery-ca-file <file>", "PEM of the authority of the discovery server's certificate")
    .option("--discovery-namespace <name>", "namespace of the discovery server's pod (default: all)")
    .addOption(new Option("--cds-server-address <address>", "as STUNner names --discovery").hideHelp())
    .addOption(new Option("--cds-server-namespace <name>", "as STUNner names --discovery-namespace").hideHelp())
    .addOption(new Option("--cds-server-port <port>", "port of --cds-server-address or of the pod").hideHelp());

/** A connected server; `close` closes the connection. */
export interface Reached {
  readonly target: DiscoveryTarget;
  close(): void;
}

const read = (path: string | undefined): string | undefined =>
  path === undefined ? undefined : readFileSync(path, "utf8").trim();

/** @throws TurnpikeError `usage`. */
const portOf = (text: string | undefined): number => {
  const port = Number(text ?? DISCOVERY_PORT);
  return isPort(port) ? port : refuseUsage(`--cds-server-port: ${text} is not a port`);
};

const originOf = ({ discovery, cdsServerAddress, cdsServerPort }: DiscoveryFlags): string | undefined => {
  if (discovery !== undefined) return discovery.startsWith(":") ? `127.0.0.1${discovery}` : discovery;
  if (cdsServerAddress === undefined) return undefined;
  return addressAt("--cds-server-address", cdsServerAddress, portOf(cdsServerPort));
};

/** @throws TurnpikeError `kubeconfig-invalid`, `api-refused`, `discovery-not-found`; the error of reading a file. */
export const reachDiscovery = async (flags: DiscoveryFlags): Promise<Reached> => {
  const [token, ca] = [read(flags.discoveryTokenFile), read(flags.discoveryCaFile)];
  const origin = originOf(flags);
  if (origin !== undefined) {
    const target = { origin, token, ca };
    try {
      addressOf(target);
    } catch (error) {
      throw new TurnpikeError("usage", `--discovery: ${messageOf(error)}`);
    }
    return { target, close: () => undefined };
  }
  const config = await loadKubeconfig(flags);
  const namespace = flags.discoveryNamespace ?? flags.cdsServerNamespace;
  const forwarded = await withProgress(
    "looking for the discovery server",
    forwardPort(
      config,
      () => findOne(config, { [DISCOVERY_LABEL]: "enabled" }, namespace),
      portOf(flags.cdsServerPort),
    ),
  );
  return {
    target: { origin: ca === undefined ? forwarded.at : `https://${forwarded.at}`, token, ca },
    close: () => forwarded.close(),
  };
};

/** @throws TurnpikeError `api-refused`, `discovery-not-found`. */
const findOne = async (
  config: KubeConfig,
  labels: Readonly<Record<string, string>>,
  namespace: string | undefined,
): Promise<Pod> => {
  const api = await apiOf(config);
  try {
    const running = (await findPods(api, labels, namespace)).filter(({ phase }) => phase === "Running");
    // Of an operator's replicas, the one that serves configs is ready.
    const [pod, ...more] = running.length > 1 ? running.filter(({ isReady }) => isReady) : running;
    if (pod !== undefined && more.length === 0) return pod;
    throw new TurnpikeError(
      "discovery-not-found",
      `${pod === undefined ? "no running pod has" : `${more.length + 1} ready pods have`} the label ${DISCOVERY_LABEL}=enabled`,
    );
  } finally {
    await api.close();
  }
};

/** The namespace of a command. The cluster is asked only if necessary. */
export const namespaceFor = async (flags: DiscoveryFlags): Promise<string> => {
  if (flags.namespace !== undefined) return flags.namespace;
  if (originOf(flags) !== undefined && flags.kubeconfig === undefined) return "default";
  return namespaceOf(await loadKubeconfig(flags));
};

/** `NAME` or `NAMESPACE/NAME` as an id. */
export const gatewayId = async (gateway: string, flags: DiscoveryFlags): Promise<string> => {
  const id = gateway.includes("/") ? gateway : `${await namespaceFor(flags)}/${gateway}`;
  if (partsOf(id) === undefined) throw new TurnpikeError("usage", `${gateway}: expected NAME or NAMESPACE/NAME`);
  return id;
};
