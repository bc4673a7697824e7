/** A route's backends as a cluster: the peers that clients of its listeners may reach. */
import type { BackendReference } from "../resources/gateway-api.ts";
import type { ClusterConfig } from "../resources/dataplane-config.ts";
import type { ObjectsView, RenderOptions, Route } from "../resources/view.ts";
import { nameOf, splitName, type Name } from "../resources/keys.ts";
import { DEFAULT_CLUSTER_DOMAIN, STUNNER_GROUP } from "../resources/names.ts";
import { isEndpoint, portRangeProblem, portSuffix } from "./endpoints.ts";
import { mayReferToService } from "./grants.ts";
import { isFirstEdition } from "./rules.ts";
import { compareText } from "../order.ts";

/** Why a backend is not in the cluster, or only in part. The kind decides the reason in the route's status. */
export interface BackendProblem {
  readonly kind: "kind" | "not-found" | "not-permitted" | "no-endpoints" | "unsupported";
  readonly message: string;
}

export interface RenderedCluster {
  /** Undefined if no backend decides the type of the cluster, or an endpoint is malformed. */
  readonly cluster: ClusterConfig | undefined;
  /** Endpoints that only terminating pods have: permitted until the pods are removed. */
  readonly draining: readonly string[];
  /** In the order of the backends; the last one is reported. */
  readonly problems: readonly BackendProblem[];
}

interface Backend {
  /** Undefined: this backend does not decide it. */
  readonly type: ClusterConfig["type"] | undefined;
  readonly active: readonly string[];
  readonly draining: readonly string[];
  readonly problem: BackendProblem | undefined;
}

const failed = (kind: BackendProblem["kind"], message: string, type?: ClusterConfig["type"]): Backend => ({
  type,
  active: [],
  draining: [],
  problem: { kind, message },
});

const notFound = (message: string): BackendProblem => ({ kind: "not-found", message });

const unsupported = (message: string): BackendProblem => ({ kind: "unsupported", message });

/** Why a backend has no endpoints: an existing Service is not "not found". */
const withoutEndpoints = (view: ObjectsView, options: RenderOptions, name: Name): BackendProblem => {
  const service = view.get("Service", name);
  if (service === undefined || isFirstEdition(options)) return notFound(`backend ${name} not found`);
  if (service.spec?.type === "ExternalName")
    return unsupported(`Service ${name} is of type ExternalName, which has no endpoints: clients cannot reach it`);
  return { kind: "no-endpoints", message: `no endpoints for Service ${name}` };
};

/** A Service without a cluster IP, such as a headless one, is resolved: its endpoints are the peers. */
const serviceProblem = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  found: boolean,
  clusterIP: string | undefined,
): BackendProblem | undefined => {
  const isFirst = isFirstEdition(options);
  if (!found) return isFirst ? notFound(`no endpoints for Service ${name}`) : withoutEndpoints(view, options, name);
  if (!options.relayToClusterIP || clusterIP !== undefined) return undefined;
  if (isFirst) return notFound(`no cluster IP for Service ${name}`);
  return view.get("Service", name) === undefined ? notFound(`backend ${name} not found`) : undefined;
};

const discoveredService = (view: ObjectsView, options: RenderOptions, namespace: string, name: string): Backend => {
  const service = nameOf(namespace, name);
  const { found, endpoints } = view.endpointsOfService(service);
  const ofState = (state: "active" | "terminating"): readonly string[] =>
    endpoints.filter((endpoint) => endpoint.state === state).map((endpoint) => endpoint.address);
  const clusterIP = view.get("Service", service)?.spec?.clusterIP;
  const usableClusterIP = options.relayToClusterIP && clusterIP && clusterIP !== "None" ? clusterIP : undefined;
  if (!found && usableClusterIP === undefined) {
    const { kind, message } = withoutEndpoints(view, options, service);
    return failed(kind, message, "STATIC");
  }
  return {
    type: "STATIC",
    active: usableClusterIP === undefined ? ofState("active") : [...ofState("active"), usableClusterIP],
    draining: ofState("terminating"),
    problem: serviceProblem(view, options, service, found, usableClusterIP),
  };
};

const namedService = (
  { clusterDomain = DEFAULT_CLUSTER_DOMAIN }: RenderOptions,
  namespace: string,
  name: string,
): Backend => ({
  type: "STRICT_DNS",
  active: [`${name}.${namespace}.svc.${clusterDomain}`],
  draining: [],
  problem: undefined,
});

const staticService = (view: ObjectsView, namespace: string, name: string): Backend => {
  const service = view.get("StaticService", nameOf(namespace, name));
  return service === undefined
    ? failed("not-found", `StaticService ${namespace}/${name} not found`)
    : { type: "STATIC", active: service.spec.prefixes, draining: [], problem: undefined };
};

/** Ports of a backend that no peer can match; a Gateway API route's port limits nothing. */
export const portsProblem = (options: RenderOptions, route: Route, backend: BackendReference): string | undefined =>
  route.kind === "UDPRoute" && !isFirstEdition(options) ? portRangeProblem(backend) : undefined;

const resolve = (view: ObjectsView, options: RenderOptions, route: Route, backend: BackendReference): Backend => {
  const group = backend.group ?? "";
  const kind = backend.kind ?? "Service";
  const namespace = backend.namespace ?? splitName(route.name).namespace;
  if (group !== "" && group !== STUNNER_GROUP) return failed("kind", `backend group ${group} is not supported`);
  const ports = portsProblem(options, route, backend);
  if (ports !== undefined) return failed("unsupported", `backend ${nameOf(namespace, backend.name)}: ${ports}`);
  if (group === STUNNER_GROUP && kind === "StaticService") return staticService(view, namespace, backend.name);
  if (group !== "" || kind !== "Service")
    return failed("kind", `backend kind ${kind} of group "${group}" is not supported`);
  // Checked before any look-up: the existence of a Service must not be revealed either.
  const service = nameOf(namespace, backend.name);
  if (!mayReferToService(view, options, route, service))
    return failed("not-permitted", `no ReferenceGrant lets the route refer to Service ${service}`);
  return options.endpointDiscovery
    ? discoveredService(view, options, namespace, backend.name)
    : namedService(options, namespace, backend.name);
};

/** The Gateway API requires a port on every backend of its UDPRoute; any number is accepted, so it limits nothing. */
const suffixOf = (route: Route, backend: BackendReference): string =>
  route.kind === "UDPRoute" ? portSuffix(backend) : "";

/** Only a missing StaticService leaves no cluster; everything else, even no backend at all, gives an empty one. */
const saysNothing = (backends: readonly Backend[]): boolean =>
  backends.length > 0 && backends.every(({ type, problem }) => type === undefined && problem?.kind === "not-found");

/** Only the first rule counts. Backends are independent: one that cannot be resolved does not affect the others. */
export const renderCluster = (view: ObjectsView, options: RenderOptions, route: Route): RenderedCluster => {
  const [rule] = route.object.spec.rules;
  if (rule === undefined)
    return { cluster: undefined, draining: [], problems: [notFound(`route ${route.name} has no rules`)] };

  const references = rule.backendRefs ?? [];
  const backends = references.map((reference) => resolve(view, options, route, reference));
  const type = backends.find((backend) => backend.type !== undefined)?.type;
  const active: string[] = [];
  const terminating: string[] = [];
  const problems: BackendProblem[] = [];
  references.forEach((reference, index) => {
    const backend = backends[index];
    if (backend === undefined) return;
    if (backend.type !== undefined && backend.type !== type) {
      problems.push(notFound(`backend ${reference.name} needs a ${backend.type} cluster, others a ${type} one`));
      return;
    }
    const suffix = type === "STATIC" ? suffixOf(route, reference) : "";
    active.push(...backend.active.map((address) => address + suffix));
    terminating.push(...backend.draining.map((address) => address + suffix));
    if (backend.problem !== undefined) problems.push(backend.problem);
  });

  const endpoints = [...active, ...terminating].toSorted(compareText);
  const malformed = type === "STATIC" ? endpoints.find((endpoint) => !isEndpoint(endpoint)) : undefined;
  if (malformed !== undefined)
    return { cluster: undefined, draining: [], problems: [...problems, notFound(`not an IP or prefix: ${malformed}`)] };
  if (saysNothing(backends)) return { cluster: undefined, draining: [], problems };

  const stillActive = new Set(active);
  return {
    cluster: {
      name: route.name,
      type: type ?? "STATIC",
      protocol: "UDP",
      ...(endpoints.length > 0 ? { endpoints } : {}),
    },
    draining: [...new Set(terminating)].filter((endpoint) => !stillActive.has(endpoint)).toSorted(compareText),
    problems,
  };
};
