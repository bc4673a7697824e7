/** `stunnerctl`: STUNner's command line with its own names and flags. */
import { Command, Option } from "commander";
import { withProgress, outputOption, type Format } from "./output.ts";
import { TurnpikeError } from "../errors.ts";
import { apiOf } from "../kubernetes/connect.ts";
import { loadKubeconfig } from "../kubernetes/kubeconfig.ts";
import { findPods, forwardPort, type Pod } from "../kubernetes/port-forward.ts";
import { addressAt } from "./address-at.ts";
import { AUTH_PORT } from "./authd.ts";
import { addConfigOptions, showConfig } from "./config.ts";
import {
  addClusterOptions,
  addDiscoveryOptions,
  reachDiscovery,
  type ClusterFlags,
  type DiscoveryFlags,
} from "./discovery-options.ts";
import { fetchLicense } from "../discovery/fetch.ts";
import { addIceTestOptions } from "./icetest.ts";
import { documentWriter } from "./documents.ts";
import { addPodOptions, parsePodPort, showPodDocuments } from "./status.ts";

interface AuthFlags extends ClusterFlags {
  readonly username?: string;
  readonly authServerAddress?: string;
  readonly authServiceNamespace?: string;
  readonly authServicePort: number;
  readonly authTurnCredential?: boolean;
}

const AUTH_LABELS = { app: "stunner-auth" };

/** @throws TurnpikeError `auth-unreachable`. */
const askService = async (at: string, path: string): Promise<string> => {
  const url = `http://${at}${path}`;
  let response;
  try {
    response = await withProgress(
      "asking the authentication service",
      fetch(url, { signal: AbortSignal.timeout(10_000) }),
    );
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new TurnpikeError("auth-unreachable", `nothing answers at ${url}: ${cause}`);
  }
  const body = await response.text();
  if (!response.ok)
    throw new TurnpikeError("auth-unreachable", `${url} answered ${response.status}: ${body.trim().slice(0, 300)}`);
  return body;
};

const auth = async (gateway: string | undefined, flags: AuthFlags): Promise<void> => {
  const query = new URLSearchParams({ service: "turn" });
  if (flags.namespace !== undefined) {
    query.set("namespace", flags.namespace);
    if (gateway !== undefined) query.set("gateway", gateway);
    if (flags.username !== undefined) query.set("username", flags.username);
  }
  const path = `${flags.authTurnCredential === true ? "/" : "/ice"}?${query.toString()}`;
  if (flags.authServerAddress !== undefined) {
    const at = addressAt("--auth-server-address", flags.authServerAddress, flags.authServicePort);
    process.stdout.write(await askService(at, path));
    return;
  }
  const config = await loadKubeconfig(flags);
  const find = async (): Promise<Pod> => {
    const api = await apiOf(config);
    try {
      const [pod] = await findPods(api, AUTH_LABELS, flags.authServiceNamespace);
      if (pod === undefined) throw new TurnpikeError("auth-unreachable", "no pod has the label app=stunner-auth");
      return pod;
    } finally {
      await api.close();
    }
  };
  const forwarded = await forwardPort(config, find, flags.authServicePort);
  try {
    process.stdout.write(await askService(forwarded.at, path));
  } finally {
    forwarded.close();
  }
};

const license = async (flags: DiscoveryFlags & { readonly output: Format }): Promise<void> => {
  const { target, close } = await reachDiscovery(flags);
  try {
    const status = await fetchLicense(target);
    const features = status.enabledFeatures.join(", ") || "NONE";
    documentWriter(flags.output).write(status, () =>
      [
        "License status:",
        `\tSubscription type: ${status.subscriptionType}`,
        `\tEnabled features: ${features}`,
        `\tLast updated: ${status.lastUpdated}`,
        "",
      ].join("\n"),
    );
  } finally {
    close();
  }
};

/** Flags of every subcommand. */
const common = (command: Command): Command =>
  command
    .option("-a, --all-namespaces", "of all namespaces")
    .addOption(outputOption())
    .addOption(new Option("-l, --loglevel <spec>", "taken and ignored").hideHelp())
    .addOption(new Option("-v, --verbose", "taken and ignored").hideHelp());

export const stunnerctlCommand = (): Command => {
  const command = new Command("stunnerctl").description("STUNner's command line under its own names and flags");
  command.addCommand(
    common(addConfigOptions(new Command("config")))
      .alias("stunner-config")
      .description("show the configs that dataplanes are running on")
      // Scripts read passwords from here.
      .action((gateway: string | undefined, flags: Parameters<typeof showConfig>[1]) =>
        showConfig(gateway, { ...flags, reveal: true, documents: true }),
      ),
  );
  command.addCommand(
    common(addPodOptions(new Command("status").argument("[gateway]", "NAME or NAMESPACE/NAME")))
      .alias("dataplane-status")
      .description("show the dataplane pods of a Gateway")
      .action(showPodDocuments),
  );
  command.addCommand(
    common(addClusterOptions(new Command("auth").argument("[gateway]", "NAME; counts together with --namespace")))
      .alias("get-credential")
      .description("ask the authentication service for credentials")
      .option("-u, --username <id>", "user-id of time-limited credentials; counts together with --namespace")
      .option("--auth-server-address <host[:port]>", "the service (default: found in the cluster)")
      .option("--auth-service-namespace <name>", "namespace of its pod (default: all)")
      .option("--auth-service-port <port>", "port of the service", parsePodPort, AUTH_PORT)
      .option("--auth-turn-credential", "ask for a TURN credential, not for an ICE configuration")
      .action(auth),
  );
  command.addCommand(
    common(addIceTestOptions(new Command("icetest"))).description("hold calls through a Gateway of the test's own"),
  );
  command.addCommand(
    common(addDiscoveryOptions(new Command("license")))
      .alias("license-status")
      .description("show what is unlocked: there is nothing to unlock")
      .action(license),
  );
  return command;
};
