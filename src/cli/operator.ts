/** `turnpike operator`: the gateway operator for a cluster; takes the flags and environment of STUNner's operator. */
import { readFileSync } from "node:fs";
import { Registry } from "@prometheus-io/client";
import { Command, InvalidArgumentError, Option } from "commander";
import type { Logger } from "pino";
import { createOperatorMeter } from "../admin/operator-metrics.ts";
import type { AccessFiles } from "../discovery/access-files.ts";
import { errors, TurnpikeError } from "../errors.ts";
import { DISCOVERY_PORT } from "../resources/names.ts";
import type { RenderOptions } from "../resources/view.ts";
import { finalize } from "../runtime/finalize.ts";
import { startOperator } from "../runtime/operator.ts";
import { serveOperator } from "../runtime/operator-servers.ts";
import { operatorOptions } from "../runtime/options.ts";
import { accountingOf, addAccountingOptions, type AccountingFlags } from "./accounting-options.ts";
import { adminTokenOption, DEFAULT_ADMIN, readAdminToken } from "./admin-options.ts";
import { clusterDomainOption } from "./cluster-domain.ts";
import { addressProblem, discoveryAddress, ownAddress } from "./discovery-address.ts";
import {
  parseBindAddress,
  parseBoolean,
  parseOptionalBindAddress,
  type BindAddress,
  type OptionalBindAddress,
} from "./go-flags.ts";
import { journalFolder } from "./journal-folder.ts";
import { createLog } from "./log-format.ts";
import { onStopSignal } from "./signals.ts";
import { tracerOf, tracesOption } from "./traces-option.ts";

interface OperatorFlags extends AccountingFlags {
  readonly controllerName: string;
  readonly endpointDiscovery: boolean;
  readonly clusterDomain: string;
  readonly dataplaneMode: string;
  readonly configDiscoveryAddress: BindAddress;
  readonly configDiscoveryCertFile?: string;
  readonly configDiscoveryKeyFile?: string;
  readonly configDiscoveryTokenFile?: string;
  readonly metricsBindAddress: OptionalBindAddress;
  readonly healthProbeBindAddress: OptionalBindAddress;
  readonly adminBindAddress: OptionalBindAddress;
  readonly pprofBindAddress: OptionalBindAddress;
  readonly zapEncoder: string;
  readonly adminTokenFile?: string;
  readonly disableEndpontsliceController?: boolean;
  readonly disableEndpointsliceController?: boolean;
  readonly leaderElect?: boolean;
  readonly leaderElectionNamespace?: string;
  readonly leaderElectionId: string;
  readonly finalize?: string;
  readonly enableFinalizer?: boolean;
  readonly requireReferenceGrants?: boolean;
  readonly podDeletionCost?: boolean;
  readonly embedded?: boolean;
  readonly embeddedSelector: Readonly<Record<string, string>>;
  readonly kubeconfig?: string;
  readonly watchNamespaces?: readonly string[];
  readonly journal?: string;
  readonly traces?: string;
  readonly zapLogLevel: string;
}

const DEFAULT_JOURNAL = ".turnpike/operator";
const LEASE_NAME = "92062b70.l7mp.io";
/** The Job that waits for it has a separate limit. */
const FINALIZE_LIMIT_MS = 10 * 60_000;
const NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

const env = (name: string): string | undefined => process.env[`STUNNER_GATEWAY_OPERATOR_${name}`];

/** Set to an empty value, the filter passes every label. */
const labelFilter = (): { readonly labelFilter?: readonly string[] } => {
  const list = env("LABEL_FILTER");
  return list === undefined
    ? {}
    : {
        labelFilter: list
          .split(",")
          .map((one) => one.trim())
          .filter((one) => one !== ""),
      };
};

/** `KEY=VALUE,…` */
const parseLabels = (text: string): Readonly<Record<string, string>> => {
  const pairs = text.split(",").map((pair) => /^([^=\s]+)=([^=\s]*)$/.exec(pair.trim()));
  if (pairs.some((pair) => pair === null)) throw new InvalidArgumentError("expected KEY=VALUE,…");
  return Object.fromEntries(pairs.flatMap((pair) => (pair === null ? [] : [[pair[1], pair[2]]])));
};

/** `NAME,…` */
const parseNamespaces = (text: string): readonly string[] => {
  const names = text.split(",").map((name) => name.trim());
  if (!names.every((name) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)))
    throw new InvalidArgumentError("expected names of namespaces, NAME,…");
  return [...new Set(names)];
};

const DEFAULT_SELECTOR = "app.kubernetes.io/name=turnpike";

const dataplaneMode = (given: string): "managed" | "legacy" => {
  // The environment applies only to flags with their default value.
  const mode = (given === "managed" && env("DATAPLANE_MODE")) || given;
  const known = (["managed", "legacy"] as const).find((one) => one === mode.toLowerCase());
  if (known === undefined) throw new TurnpikeError("usage", `dataplane mode ${mode}: there are managed and legacy`);
  return known;
};

const accessFiles = ({
  configDiscoveryCertFile: cert,
  configDiscoveryKeyFile: key,
  configDiscoveryTokenFile: token,
}: OperatorFlags): AccessFiles => {
  if ((cert === undefined) !== (key === undefined))
    throw new TurnpikeError("usage", "--config-discovery-cert-file and --config-discovery-key-file go together");
  return {
    ...(cert === undefined || key === undefined ? {} : { tls: { cert, key } }),
    ...(token === undefined ? {} : { token }),
  };
};

/** The namespace of the pod. @param what needs it. */
const ownNamespace = (given: string | undefined, what: string): string => {
  const said = given ?? process.env["POD_NAMESPACE"];
  if (said !== undefined) return said;
  try {
    return readFileSync(NAMESPACE_FILE, "utf8").trim();
  } catch {
    throw new TurnpikeError("usage", `not in a pod: ${what} needs --leader-election-namespace`);
  }
};

/** Whether it runs in a pod, with the pod's service account. */
const isInCluster = ({ kubeconfig }: OperatorFlags): boolean =>
  kubeconfig === undefined && !process.env["KUBECONFIG"] && Boolean(process.env["KUBERNETES_SERVICE_HOST"]);

/**
 * In a cluster a rendered Deployment without an address would replace a working one, so the operator does not start.
 * Outside a cluster, where people test it, it warns. @throws TurnpikeError `discovery-address`.
 */
const checkAddress = (render: RenderOptions, flags: OperatorFlags, log: Logger): void => {
  const problem = addressProblem(render.discoveryAddress, render);
  if (problem === undefined) return;
  if (isInCluster(flags)) throw new TurnpikeError("discovery-address", problem);
  log.warn({ code: "discovery-address", todo: errors["discovery-address"].todo }, problem);
};

/** Formats of messages by the name of zap's encoder. */
const encodings: Readonly<Record<string, string>> = { json: "json", console: "text" };

const run = async (flags: OperatorFlags): Promise<void> => {
  const { configDiscoveryAddress: discovery } = flags;
  const mode = dataplaneMode(flags.dataplaneMode);
  const own = ownAddress(env("ADDRESS"));

  if (flags.podDeletionCost === true && (mode === "legacy" || flags.embedded === true))
    throw new TurnpikeError(
      "usage",
      "--pod-deletion-cost needs managed dataplanes: not legacy mode, and not --embedded",
    );

  const startedAt = Date.now();
  const files = accessFiles(flags);
  const token = readAdminToken(flags.adminTokenFile);
  const log = await createLog({
    name: "turnpike",
    level: flags.zapLogLevel,
    fd: 2,
    format: encodings[flags.zapEncoder] ?? "json",
  });
  const journal = flags.journal ?? journalFolder(DEFAULT_JOURNAL, (other, why) => log.warn({ journal: other }, why));
  const usesEndpoints = flags.disableEndpontsliceController === true || flags.disableEndpointsliceController === true;
  const common = {
    ...(flags.kubeconfig === undefined ? {} : { kubeconfig: flags.kubeconfig }),
    namespaces: flags.watchNamespaces,
    render: operatorOptions({
      mode,
      controllerName: flags.controllerName,
      endpointDiscovery: flags.endpointDiscovery,
      clusterDomain: flags.clusterDomain,
      endpointSource: usesEndpoints ? "Endpoints" : "EndpointSlice",
      discoveryAddress: discoveryAddress(own, discovery),
      requireReferenceGrants: flags.requireReferenceGrants === true,
      ...(flags.embedded === true
        ? {
            embedded: {
              namespace: ownNamespace(flags.leaderElectionNamespace, "--embedded"),
              selector: flags.embeddedSelector,
            },
          }
        : {}),
      ...labelFilter(),
    }),
    journal,
    discovery: { ...discovery, files },
    ...(flags.leaderElect === true
      ? {
          lease: {
            namespace: ownNamespace(flags.leaderElectionNamespace, "--leader-elect"),
            name: flags.leaderElectionId,
          },
        }
      : {}),
    log,
  };
  if (flags.finalize !== undefined) {
    const namespace = ownNamespace(flags.leaderElectionNamespace, "--finalize");
    await finalize({ operator: common, deployment: { namespace, name: flags.finalize }, limitMs: FINALIZE_LIMIT_MS });
    process.exit(0);
  }
  checkAddress(common.render, flags, log);
  const accounting = await accountingOf(flags, "operator");
  if (accounting !== undefined && flags.embedded !== true)
    throw new TurnpikeError("usage", "--accounting-url: only with --embedded; otherwise it is an option of dataplanes");
  const registry = new Registry();
  const operator = await startOperator({
    ...common,
    meter: createOperatorMeter(registry),
    tracer: await tracerOf(flags.traces, "operator", log),
    finalizer: flags.enableFinalizer === true,
    ...(flags.podDeletionCost === true ? { deletionCosts: {} } : {}),
    ...(flags.embedded === true ? { relay: { address: own?.host ?? "0.0.0.0", accounting } } : {}),
  });
  const [health, metrics, admin, profiles] = [
    flags.healthProbeBindAddress,
    flags.metricsBindAddress,
    flags.adminBindAddress,
    flags.pprofBindAddress,
  ].map((at) => (at === "off" ? undefined : at));
  const servers = await serveOperator({
    operator,
    registry,
    journal,
    startedAt,
    health,
    metrics,
    profiles,
    admin: admin && { ...admin, ...token },
  });
  const ports = { discovery: operator.discovery.port, ...servers.ports };

  operator.loop.onFact((fact) => {
    if (fact.type === "effect.failed" || fact.type === "watch.lost") log.warn(fact.data, fact.type);
    else if (fact.type === "lease.acquired" || fact.type === "lease.lost" || fact.type === "object.written")
      log.info(fact.data, fact.type);
  });
  log.info({ ports }, "operator started");

  onStopSignal((signal) => {
    log.info({ signal }, "stopping");
    void operator.stop(signal).then(async (left) => {
      await servers.close();
      if (left.length > 0) log.error({ left }, "not everything could be removed in time");
      process.exit(0);
    });
  });
};

const boolean = (flags: string, description: string): Option =>
  new Option(flags, description).argParser(parseBoolean).preset(true);

export const operatorCommand = (): Command =>
  addAccountingOptions(new Command("operator"))
    .description("run the gateway operator: Kubernetes in, Kubernetes out, configs for dataplanes")
    .option(
      "--controller-name <name>",
      "GatewayClasses with this controllerName are ours",
      env("CONTROLLER_NAME") ?? operatorOptions().controllerName,
    )
    .addOption(
      boolean("--endpoint-discovery [bool]", "pod addresses from EndpointSlices; off: DNS names").default(true),
    )
    .addOption(clusterDomainOption().env("STUNNER_GATEWAY_OPERATOR_CLUSTER_DOMAIN"))
    .option(
      "--dataplane-mode <mode>",
      "managed: a dataplane for each Gateway; legacy: a ConfigMap for each GatewayClass, for dataplanes of your own",
      "managed",
    )
    .option(
      "--config-discovery-address <host:port>",
      "where dataplanes get their configs",
      parseBindAddress,
      parseBindAddress(`:${DISCOVERY_PORT}`),
    )
    .option(
      "--config-discovery-cert-file <file>",
      "PEM certificate chain: configs are served over TLS; read again when renewed",
    )
    .option("--config-discovery-key-file <file>", "PEM key of the certificate")
    .option(
      "--config-discovery-token-file <file>",
      "what dataplanes must present as a bearer token; read again when renewed",
    )
    .option(
      "--metrics-bind-address <host:port>",
      "Prometheus metrics; 0 turns them off",
      parseOptionalBindAddress,
      parseOptionalBindAddress(":8080"),
    )
    .option(
      "--health-probe-bind-address <host:port>",
      "/healthz and /readyz; 0 turns them off",
      parseOptionalBindAddress,
      parseOptionalBindAddress(":8081"),
    )
    .option(
      "--admin-bind-address <host:port>",
      "admin API and its page, on loopback as `kubectl port-forward` wants it; 0 turns them off",
      parseOptionalBindAddress,
      parseOptionalBindAddress(DEFAULT_ADMIN),
    )
    .addOption(adminTokenOption())
    .addOption(boolean("--disable-endpointslice-controller [bool]", "pod addresses from Endpoints objects"))
    .addOption(boolean("--disable-endpontslice-controller [bool]", "the same, as STUNner spells it").hideHelp())
    .addOption(boolean("--leader-elect [bool]", "only the holder of a Lease writes"))
    .option("--leader-election-namespace <name>", "namespace of the Lease (default: the pod's own)")
    .option("--leader-election-id <name>", "name of the Lease; one for each installation of a namespace", LEASE_NAME)
    .addOption(boolean("--enable-finalizer [bool]", "remove everything that is managed on exit"))
    .option(
      "--finalize <deployment>",
      "instead of running: stop the operator of this Deployment, remove everything that is managed, and end",
    )
    .addOption(
      boolean(
        "--require-reference-grants [bool]",
        "stunner.l7mp.io routes and certificateRefs, too, need a ReferenceGrant for another namespace",
      ),
    )
    .addOption(
      boolean(
        "--pod-deletion-cost [bool]",
        "annotate dataplane pods with their number of allocations, so that a scale-in removes the emptiest",
      ).env("STUNNER_GATEWAY_OPERATOR_POD_DELETION_COST"),
    )
    .addOption(
      boolean("--embedded [bool]", "relay in this pod: no other dataplanes, for Gateways of its own namespace"),
    )
    .option(
      "--embedded-selector <labels>",
      "KEY=VALUE,… that the Gateways' Services find the pods of this operator by",
      parseLabels,
      parseLabels(DEFAULT_SELECTOR),
    )
    .option(
      "--watch-namespaces <names>",
      "NAME,…: sees Gateways, routes and what they refer to in these namespaces only (default: in all)",
      parseNamespaces,
    )
    .option("--kubeconfig <file>", "default: KUBECONFIG, ~/.kube/config, or the pod's service account")
    .option(
      "--journal <dir>",
      `folder of the event log (default: ${DEFAULT_JOURNAL}, with a number where another process has it, below /tmp where it cannot be written to)`,
    )
    .addOption(tracesOption())
    .addOption(new Option("--zap-log-level <level>", "of the program's own messages").default("info"))
    .addOption(
      new Option("--throttle-timeout <duration>", "taken and ignored: nothing waits for a throttle").hideHelp(),
    )
    .addOption(
      new Option(
        "--pprof-bind-address <host:port>",
        "CPU and heap profiles, for whoever can reach it; 0 turns them off",
      )
        .argParser(parseOptionalBindAddress)
        .default("off", "0")
        .env("STUNNER_GATEWAY_OPERATOR_PPROF_BIND_ADDRESS"),
    )
    .addOption(boolean("--zap-devel [bool]", "taken and ignored").hideHelp())
    .addOption(
      new Option("--zap-encoder <name>", "of the program's own messages: json, or console for people")
        .choices(Object.keys(encodings))
        .default("json"),
    )
    .addOption(new Option("--zap-stacktrace-level <level>", "taken and ignored").hideHelp())
    .addOption(new Option("--zap-time-encoding <name>", "taken and ignored").hideHelp())
    .action((flags: OperatorFlags) => run(flags));
