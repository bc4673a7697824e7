/** What `turnpike doctor` reads from a cluster. It writes nothing. */
import type { KubeConfig } from "@kubernetes/client-node";
import { wallMs } from "../clock.ts";
import { publicAddressOf, UNKNOWN } from "../credentials/public-address.ts";
import { gatewaysOf, type OurGateway } from "../doctor/check.ts";
import { gatewaysWithDataplanes } from "../doctor/dataplanes.ts";
import type { Call, DataplanePod, Definition, Evidence, OperatorDeployment, SeenPod } from "../doctor/evidence.ts";
import { pendingServices } from "../doctor/gateways.ts";
import { operatorArguments, type OperatorArguments } from "../doctor/operator-arguments.ts";
import { messageOf } from "../errors.ts";
import { ApiError, type Api } from "../kubernetes/api.ts";
import { apiOf } from "../kubernetes/connect.ts";
import { loadKubeconfig, namespaceOf } from "../kubernetes/kubeconfig.ts";
import { findPods } from "../kubernetes/port-forward.ts";
import { isDataplaneDisabled } from "../render/annotations.ts";
import { nameOf, nameOfObject, splitName, type Name } from "../resources/keys.ts";
import { kinds, type Kind } from "../resources/kinds.ts";
import { DEFAULT_CONTROLLER_NAME, GATEWAY_API_GROUP, STUNNER_GROUP } from "../resources/names.ts";
import { operatorOptions } from "../runtime/options.ts";
import type { ClusterFlags } from "./discovery-options.ts";
import { askPod, labelsOf, type PodStatus } from "./pod-status.ts";
import { testCall, type TestCallOptions } from "./test-call.ts";
import { listCluster, worldOf, type Seen, type World } from "./world.ts";
import { withProgress } from "./output.ts";

export interface DoctorOptions extends ClusterFlags {
  readonly controllerName?: string;
  /** `NAME` or `NAMESPACE/NAME`. */
  readonly gateway?: string;
  /** Undefined: no test allocations. */
  readonly call: TestCallOptions | undefined;
}

const definitionsOf = (group: string): readonly Kind[] => kinds.filter((kind) => kind.group === group);

interface Crd {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly versions: readonly { readonly name: string; readonly served: boolean }[] };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** From API discovery, which every user may read: the served versions of a kind. */
const discover = async (api: Api, { group, plural, versions }: Kind): Promise<readonly string[]> => {
  const served: string[] = [];
  for (const version of versions) {
    const path = `/apis/${group}/${version}`;
    const found = await api
      .json<{ readonly resources: readonly { readonly name: string }[] }>({ path })
      .catch(() => ({ resources: [] }));
    if (found.resources.some(({ name }) => name === plural)) served.push(version);
  }
  return served;
};

const readDefinition = async (api: Api, kind: Kind): Promise<Definition> => {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${kind.plural}.${kind.group}`;
  try {
    const { metadata, spec, status } = await api.json<Crd>({ path });
    const release = metadata.annotations?.[`${GATEWAY_API_GROUP}/bundle-version`];
    const channel = metadata.annotations?.[`${GATEWAY_API_GROUP}/channel`];
    return {
      kind,
      isPresent: true,
      isEstablished: status?.conditions?.some((one) => one.type === "Established" && one.status === "True") === true,
      served: spec.versions.filter((one) => one.served).map((one) => one.name),
      ...(release === undefined ? {} : { release }),
      ...(channel === undefined ? {} : { channel }),
    };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404)
      return { kind, isPresent: false, isEstablished: false, served: [] };
    const served = await discover(api, kind);
    return { kind, isPresent: served.length > 0, isEstablished: served.length > 0, served };
  }
};

export interface DeploymentObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly replicas?: number;
    readonly selector: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
      readonly spec: { readonly containers: readonly { readonly name: string; readonly args?: readonly string[] }[] };
    };
  };
  readonly status?: { readonly readyReplicas?: number };
}

/** By the labels of the chart. */
export const isOperator = ({ metadata, spec }: DeploymentObject): boolean =>
  metadata.labels?.["app.kubernetes.io/part-of"] === "turnpike" &&
  spec.template.metadata?.labels?.["app.kubernetes.io/component"] === "operator";

export const argumentsOf = ({ metadata, spec }: DeploymentObject): OperatorArguments => {
  const container = spec.template.spec.containers.find(({ name }) => name === "operator");
  return operatorArguments(container?.args ?? [], metadata.namespace ?? "default");
};

interface FoundOperator {
  readonly deployment: OperatorDeployment;
  readonly arguments: OperatorArguments;
}

const readOperator = async (api: Api, deployment: DeploymentObject): Promise<FoundOperator> => {
  const { metadata, spec, status } = deployment;
  const namespace = metadata.namespace ?? "default";
  const given = argumentsOf(deployment);
  const pods: readonly SeenPod[] = await findPods(api, spec.selector.matchLabels ?? {}, namespace).catch(() => []);
  const lease =
    given.lease === undefined
      ? undefined
      : await api
          .json<{ readonly spec?: { readonly holderIdentity?: string | null } }>({
            path: `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${given.lease}`,
          })
          .catch(() => undefined);
  return {
    arguments: given,
    deployment: {
      name: nameOf(namespace, metadata.name),
      controllerName: given.controllerName,
      readyPods: status?.readyReplicas ?? 0,
      desiredPods: spec.replicas ?? 1,
      pods,
      lease: lease && { name: nameOf(namespace, given.lease ?? ""), holder: lease.spec?.holderIdentity ?? "" },
    },
  };
};

const readOperators = (api: Api, seen: readonly Seen[]): Promise<readonly FoundOperator[]> =>
  Promise.all(
    seen
      .filter(({ kind }) => kind === "Deployment")
      .map(({ object }) => object as unknown as DeploymentObject)
      .filter(isOperator)
      .map((deployment) => readOperator(api, deployment)),
  );

interface EventObject {
  readonly reason?: string;
  readonly message?: string;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
}

const EVENTS = 3;

/** The latest Events of a Service; empty if they cannot be read. */
const readEvents = async (api: Api, service: Name): Promise<readonly string[]> => {
  const { namespace, name } = splitName(service);
  const fieldSelector = `involvedObject.kind=Service,involvedObject.name=${name}`;
  const { items } = await api
    .json<{ readonly items: readonly EventObject[] }>({
      path: `/api/v1/namespaces/${namespace}/events`,
      query: { fieldSelector },
    })
    .catch(() => ({ items: [] }));
  const timeOf = ({ lastTimestamp, eventTime }: EventObject): number => Date.parse(lastTimestamp ?? eventTime ?? "");
  return items
    .toSorted((a, b) => (timeOf(b) || 0) - (timeOf(a) || 0))
    .slice(0, EVENTS)
    .map(({ reason = "", message = "" }) => `${reason}: ${message}`);
};

const STATUS_TIMEOUT_MS = 5000;

/** Through the API server: its proxy, or a port-forward. */
const askThroughApi = async (
  api: Api,
  config: KubeConfig,
  pod: SeenPod,
  port: number,
): Promise<NonNullable<DataplanePod["answer"]>> => {
  const path = `/api/v1/namespaces/${pod.namespace}/pods/${pod.name}:${port}/proxy/status`;
  try {
    return { status: await api.json<PodStatus>({ path, timeoutMs: STATUS_TIMEOUT_MS }) };
  } catch (error) {
    const asked = await askPod(config, pod, port);
    return asked.answered
      ? { status: asked.status }
      : { reason: `by its proxy: ${messageOf(error)}; by port-forward: ${asked.reason}` };
  }
};

/** The port of the health checks of a Gateway's dataplanes; undefined if there is none. */
const healthPort = (world: World, name: Name): number | undefined => {
  const [, port] = /:(\d+)\/?$/.exec(world.core.rendered(name)?.config?.admin.healthcheck_endpoint ?? "") ?? [];
  return port === undefined ? undefined : Number(port);
};

const readPods = async (
  api: Api,
  config: KubeConfig,
  world: World,
  gateways: readonly OurGateway[],
): Promise<Evidence["pods"]> => {
  const { embedded } = world.core.options;
  const read = async ({ name }: OurGateway): Promise<readonly [Name, readonly DataplanePod[]]> => {
    const found =
      embedded === undefined
        ? await findPods(api, labelsOf(name), splitName(name).namespace)
        : await findPods(api, embedded.selector, embedded.namespace);
    // The relay in the operator has the configs of all Gateways, but no `/status` of a single one.
    const port = embedded === undefined ? healthPort(world, name) : undefined;
    const pods = found.map(async (pod): Promise<DataplanePod> => {
      const { namespace, name: podName, isReady, why } = pod;
      const seen = { namespace, name: podName, isReady, why };
      return port === undefined || !isReady ? seen : { ...seen, answer: await askThroughApi(api, config, seen, port) };
    });
    return [name, await Promise.all(pods)];
  };
  try {
    return new Map(await Promise.all(gateways.map(read)));
  } catch (error) {
    return { skipped: messageOf(error) };
  }
};

/** With ready dataplanes, as far as known. */
const isCallable = ({ name, gateway }: OurGateway, { pods }: Pick<Evidence, "pods">): boolean =>
  "skipped" in pods || isDataplaneDisabled(gateway) || (pods.get(name) ?? []).some(({ isReady }) => isReady);

const makeCalls = async (evidence: Evidence, world: World, options: TestCallOptions): Promise<Evidence["calls"]> => {
  const served = gatewaysOf(evidence).filter(({ name }) => world.core.rendered(name)?.config !== undefined);
  const callable = world.core.options.mode === "legacy" ? served : served.filter((one) => isCallable(one, evidence));
  if (served.length > 0 && callable.length === 0) return { skipped: "no dataplane is ready: see Dataplanes" };
  const made = callable.flatMap(({ name, gateway }): readonly Promise<Call>[] => {
    const rendered = world.core.rendered(name)?.config;
    if (rendered === undefined) return [];
    const config = world.vault.reveal(rendered);
    return (config.listeners ?? [])
      .filter((listener) => publicAddressOf(listener) !== UNKNOWN)
      .map((listener) => {
        const hostname = gateway.spec.listeners.find((one) => listener.name === `${name}/${one.name}`)?.hostname;
        const serverName = options.serverName ?? hostname;
        return testCall(config, listener, { ...options, ...(serverName === undefined ? {} : { serverName }) });
      });
  });
  return { made: await Promise.all(made) };
};

const NOT_REACHED = { refusals: [], definitions: [], operators: [], world: undefined, events: new Map() } as const;

const unreached = (controllerName: string, url: string | undefined, error: unknown): Evidence => ({
  ...NOT_REACHED,
  server: { isReached: false, url, reason: messageOf(error) },
  controllerName,
  pods: new Map(),
  calls: { skipped: "nothing was read" },
});

const readCluster = async (
  api: Api,
  config: KubeConfig,
  version: string,
  options: DoctorOptions,
): Promise<Evidence> => {
  const url = config.getCurrentCluster()?.server ?? "";
  const [{ seen, unlisted }, definitions] = await Promise.all([
    listCluster(api),
    Promise.all([GATEWAY_API_GROUP, STUNNER_GROUP].flatMap(definitionsOf).map((kind) => readDefinition(api, kind))),
  ]);
  const operators = await readOperators(api, seen);
  const controllerName = options.controllerName ?? DEFAULT_CONTROLLER_NAME;
  const ours = operators.find(({ deployment }) => deployment.controllerName === controllerName);
  const render = operatorOptions({ ...ours?.arguments.options, controllerName });
  const world = worldOf(seen, [], render, false);
  const { view, rendered } = world.core;
  const { gateway } = options;
  const only =
    gateway === undefined || gateway.includes("/")
      ? (gateway as Name | undefined)
      : nameOf(options.namespace ?? namespaceOf(config), gateway);
  const base: Evidence = {
    server: { isReached: true, url, version },
    controllerName,
    only,
    refusals: unlisted,
    definitions,
    operators: operators.map(({ deployment }) => deployment),
    world: { view, options: world.core.options, rendered, hasEndpoints: true, now: wallMs() },
    events: new Map(),
    pods: new Map(),
    calls: { skipped: "--no-call" },
  };
  const pending = gatewaysOf(base).flatMap((one) => pendingServices(base, one));
  const names = pending.map((service) => nameOfObject("Service", service));
  const [events, pods] = await Promise.all([
    Promise.all(names.map(async (name) => [name, await readEvents(api, name)] as const)),
    readPods(api, config, world, gatewaysWithDataplanes(base)),
  ]);
  const evidence: Evidence = { ...base, events: new Map(events), pods };
  if (options.call === undefined) return evidence;
  return { ...evidence, calls: await withProgress("allocating", makeCalls(evidence, world, options.call)) };
};

/** A kubeconfig that cannot be used, or a server that does not answer, is evidence, too. */
export const readEvidence = async (options: DoctorOptions): Promise<Evidence> => {
  const controllerName = options.controllerName ?? DEFAULT_CONTROLLER_NAME;
  let config: KubeConfig;
  let api: Api;
  try {
    config = await loadKubeconfig(options);
    api = await apiOf(config, 10_000);
  } catch (error) {
    return unreached(controllerName, undefined, error);
  }
  try {
    const { gitVersion } = await withProgress(
      "asking the API server",
      api.json<{ readonly gitVersion: string }>({ path: "/version" }),
    );
    // `/version` needs no credentials: this is the first request that checks them.
    await api.json({ path: "/apis" });
    return await withProgress("reading the cluster", readCluster(api, config, gitVersion, options));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return unreached(controllerName, config.getCurrentCluster()?.server, error);
  } finally {
    await api.close();
  }
};
