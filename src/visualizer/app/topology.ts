/** Reachability at one moment: gateway → listeners → routes → backends → endpoints. */
import { attachmentsOf, parentGateway } from "../../render/attachment.ts";
import type { RenderedGateway } from "../../render/render.ts";
import type { Moment } from "../../history/moment.ts";
import type { BackendReference } from "../../resources/gateway-api.ts";
import { keyOf, nameOf, nameOfObject, splitName, type Name, type ObjectKey } from "../../resources/keys.ts";
import { STUNNER_GROUP } from "../../resources/names.ts";
import type { Route } from "../../resources/view.ts";
import { compareText } from "../../order.ts";
import { backendId, splitEndpoint } from "../../resources/entities.ts";

export interface EndpointNode {
  /** Of the endpoint machine. */
  readonly entity: string;
  readonly address: string;
  readonly state: string;
  /** Time of the transition into that state, in ms since 1970; undefined if it is older than the log. */
  readonly since: number | undefined;
}

export interface BackendNode {
  /** The beginning of the endpoints' entities. */
  readonly id: string;
  readonly kind: "Service" | "StaticService" | "cluster" | "unsupported";
  readonly name: string;
  /** Why it has no endpoints. */
  readonly problem: string | undefined;
  readonly endpoints: readonly EndpointNode[];
}

export interface RouteNode {
  readonly key: ObjectKey;
  /** The name of the cluster in configs. */
  readonly name: string;
  readonly kind: string;
  readonly state: string;
  readonly why: string;
  readonly backends: readonly BackendNode[];
  /** Names of the listeners that take it. */
  readonly listeners: readonly string[];
}

export interface ListenerNode {
  readonly entity: string;
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
  /** Where connections that are not TURN are passed on. */
  readonly httpBackend: string | undefined;
  readonly state: string;
  readonly why: string;
}

export interface GatewayNode {
  readonly name: Name;
  readonly state: string;
  readonly why: string;
  readonly listeners: readonly ListenerNode[];
  readonly routes: readonly RouteNode[];
}

/** One of many gateways: its contents are computed when it is opened. */
export interface GatewaySummary {
  readonly name: Name;
  readonly state: string;
}

export const gatewaysOf = (moment: Moment): readonly GatewaySummary[] => {
  const machines = new Map(moment.entities("gateway"));
  // A Gateway of another controller has no machine, and is not shown.
  return [...machines]
    .map(([name, state]) => ({ name: name as Name, state }))
    .toSorted((a, b) => compareText(a.name, b.name));
};

const endpointNodes = (moment: Moment, backend: string): readonly EndpointNode[] =>
  moment
    .endpointsOf(backend)
    .map(([entity, state]) => ({
      entity,
      state,
      address: splitEndpoint(entity).address,
      since: moment.move("endpoint", entity)?.time,
    }))
    .toSorted((a, b) => compareText(a.address, b.address));

const backendNode = (moment: Moment, route: Route, reference: BackendReference): BackendNode => {
  const { group = "", kind = "Service", namespace = splitName(route.name).namespace, name: short } = reference;
  const name = nameOf(namespace, short);
  if (group === STUNNER_GROUP && kind === "StaticService") {
    const id = backendId(`static-service:${name}`);
    const exists = moment.view.get("StaticService", name) !== undefined;
    const problem = exists ? undefined : "the StaticService does not exist";
    return { id, kind: "StaticService", name, problem, endpoints: endpointNodes(moment, id) };
  }
  if (group !== "" || kind !== "Service")
    return {
      id: `${kind}:${name}`,
      kind: "unsupported",
      name,
      problem: `kind ${kind} is not supported`,
      endpoints: [],
    };
  const endpoints = endpointNodes(moment, name);
  const exists = moment.view.get("Service", name) !== undefined;
  const problem = exists ? (endpoints.length === 0 ? "it has no endpoints" : undefined) : "the Service does not exist";
  return { id: name, kind: "Service", name, problem, endpoints };
};

const unique = <T extends { readonly id: string }>(nodes: readonly T[]): readonly T[] => [
  ...new Map(nodes.map((node) => [node.id, node])).values(),
];

const routeNode = (moment: Moment, route: Route, listeners: readonly string[]): RouteNode => {
  const key = keyOf(route.kind, route.name);
  return {
    key,
    name: route.name,
    kind: route.kind === "UDPRoute" ? "UDPRoute" : "UDPRoute (Gateway API)",
    state: moment.state("route", key) ?? "detached",
    why: moment.move("route", key)?.data.why ?? "",
    backends: unique(
      (route.object.spec.rules[0]?.backendRefs ?? []).map((reference) => backendNode(moment, route, reference)),
    ),
    listeners,
  };
};

/** Of a dataplane: the content of its config. */
const clusterNodes = (moment: Moment, name: Name, { config }: RenderedGateway): readonly RouteNode[] =>
  (config?.clusters ?? []).map((cluster) => ({
    key: keyOf("DataplaneConfig", name),
    name: cluster.name,
    kind: `cluster, ${cluster.type}`,
    state: "attached",
    why: "",
    backends: [
      {
        id: cluster.name,
        kind: "cluster",
        name: cluster.name,
        problem: (cluster.endpoints ?? []).length === 0 ? "it has no endpoints" : undefined,
        endpoints: endpointNodes(moment, cluster.name),
      },
    ],
    listeners: (config?.listeners ?? []).flatMap(({ name: listener, routes }) =>
      routes?.includes(cluster.name) === true ? [listener] : [],
    ),
  }));

const attachedRoutes = (moment: Moment, name: Name): readonly RouteNode[] => {
  const { view } = moment;
  const gateway = view.get("Gateway", name);
  if (gateway === undefined) return [];
  const attachments = attachmentsOf(view, moment.options, name, gateway);
  const routes = view.routesOfGateway(name);
  return routes.map((route) => {
    const takes = [...attachments].flatMap(([listener, attached]) =>
      attached.some((one) => one.kind === route.kind && one.name === route.name) ? [`${name}/${listener}`] : [],
    );
    return routeNode(moment, route, takes);
  });
};

/** All of one gateway. */
export const gatewayNode = (moment: Moment, name: Name): GatewayNode => {
  const rendered = moment.rendered(name);
  const asked = moment.view.get("Gateway", name)?.spec.listeners ?? [];
  const known =
    rendered?.listeners ?? asked.map((one) => ({ name: one.name, entity: `${name}/${one.name}`, why: "not rendered" }));
  return {
    name,
    state: moment.state("gateway", name) ?? "unknown",
    why: rendered?.invalid ?? moment.move("gateway", name)?.data.why ?? "",
    listeners: known.map(({ name: section, entity, why }) => {
      const configured = rendered?.config?.listeners?.find((one) => one.name === entity);
      const wanted = asked.find((one) => one.name === section);
      const state = moment.state("listener", entity) ?? "pending";
      return {
        entity,
        name: section,
        protocol: configured?.protocol ?? wanted?.protocol ?? "",
        port: wanted?.port ?? configured?.port ?? 0,
        httpBackend: configured?.http_backend,
        state,
        why: state === "failed" ? (moment.move("listener", entity)?.data.why ?? why) : why,
      };
    }),
    routes:
      moment.options.mode === "dataplane"
        ? rendered === undefined
          ? []
          : clusterNodes(moment, name, rendered)
        : attachedRoutes(moment, name),
  };
};

/** Routes that name no gateway of ours, by name. */
export const strayRoutes = (moment: Moment): readonly RouteNode[] => {
  const ours = new Set<string>(moment.entities("gateway").map(([name]) => name));
  return (["UDPRoute", "GatewayUDPRoute"] as const).flatMap((kind) =>
    moment.view.list(kind).flatMap((object) => {
      const route = { kind, name: nameOfObject(kind, object), object } as Route;
      const named = (object.spec.parentRefs ?? []).map((parent) => parentGateway(route, parent) ?? "");
      return named.some((name) => ours.has(name)) ? [] : [routeNode(moment, route, [])];
    }),
  );
};

/** Number in each state, largest first. */
export const countStates = (nodes: readonly { readonly state: string }[]): readonly (readonly [string, number])[] => {
  const counts = new Map<string, number>();
  for (const { state } of nodes) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1]);
};
