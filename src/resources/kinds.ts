/** Every kind that Turnpike reads or writes. `id` is the name that keys, facts and logs use. */
import type { GatewayClass, Gateway, GatewayApiUDPRoute, ReferenceGrant } from "./gateway-api.ts";
import type { Dataplane, GatewayConfig, StaticService, UDPRoute } from "./stunner.ts";
import type { ReceivedConfig } from "./dataplane-config.ts";
import type { PodLoad } from "./pod-load.ts";
import type { OrderedRules } from "./users.ts";
import type {
  ConfigMap,
  EndpointSlice,
  Endpoints,
  Namespace,
  NetworkPolicy,
  Node,
  Secret,
  Service,
  Workload,
} from "./core.ts";

export interface KindMap {
  GatewayClass: GatewayClass;
  Gateway: Gateway;
  /** `stunner.l7mp.io` UDPRoute. */
  UDPRoute: UDPRoute;
  /** `gateway.networking.k8s.io` UDPRoute, any served version. */
  GatewayUDPRoute: GatewayApiUDPRoute;
  ReferenceGrant: ReferenceGrant;
  GatewayConfig: GatewayConfig;
  Dataplane: Dataplane;
  StaticService: StaticService;
  Service: Service;
  EndpointSlice: EndpointSlice;
  Endpoints: Endpoints;
  Secret: Secret;
  Namespace: Namespace;
  Node: Node;
  Deployment: Workload;
  DaemonSet: Workload;
  NetworkPolicy: NetworkPolicy;
  ConfigMap: ConfigMap;
  /** Not an object of a cluster: a config that a dataplane received from a discovery server or a file. */
  DataplaneConfig: ReceivedConfig;
  /** Not an object of a cluster: orders that the admin API of this process received about users of a Gateway. */
  UserRules: OrderedRules;
  /** Not an object of a cluster: the allocations that a dataplane's pod reported. */
  PodLoad: PodLoad;
}

/** Kinds of the objects that we generate for a Gateway. */
export const madeKinds = ["Service", "Deployment", "DaemonSet", "NetworkPolicy"] as const;
export type MadeKind = (typeof madeKinds)[number];

export const isMadeKind = (kind: string): kind is MadeKind => madeKinds.some((made) => made === kind);

export type KindId = keyof KindMap;
export type AnyObject = KindMap[KindId];

export interface Kind {
  readonly id: KindId;
  readonly group: string;
  /** Versions accepted, preferred first. */
  readonly versions: readonly string[];
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

const define = (
  id: KindId,
  group: string,
  versions: readonly string[],
  plural: string,
  namespaced = true,
  kind: string = id,
): Kind => ({ id, group, versions, kind, plural, namespaced });

/** Kinds of a cluster, and of manifests. */
export const kinds: readonly Kind[] = [
  define("GatewayClass", "gateway.networking.k8s.io", ["v1"], "gatewayclasses", false),
  define("Gateway", "gateway.networking.k8s.io", ["v1"], "gateways"),
  define("GatewayUDPRoute", "gateway.networking.k8s.io", ["v1", "v1alpha2"], "udproutes", true, "UDPRoute"),
  define("ReferenceGrant", "gateway.networking.k8s.io", ["v1", "v1beta1"], "referencegrants"),
  define("GatewayConfig", "stunner.l7mp.io", ["v1", "v1alpha1"], "gatewayconfigs"),
  define("UDPRoute", "stunner.l7mp.io", ["v1"], "udproutes"),
  define("StaticService", "stunner.l7mp.io", ["v1", "v1alpha1"], "staticservices"),
  define("Dataplane", "stunner.l7mp.io", ["v1", "v1alpha1"], "dataplanes", false),
  define("Service", "", ["v1"], "services"),
  define("Endpoints", "", ["v1"], "endpoints"),
  define("EndpointSlice", "discovery.k8s.io", ["v1"], "endpointslices"),
  define("Secret", "", ["v1"], "secrets"),
  define("Namespace", "", ["v1"], "namespaces", false),
  define("Node", "", ["v1"], "nodes", false),
  define("Deployment", "apps", ["v1"], "deployments"),
  define("DaemonSet", "apps", ["v1"], "daemonsets"),
  define("NetworkPolicy", "networking.k8s.io", ["v1"], "networkpolicies"),
  define("ConfigMap", "", ["v1"], "configmaps"),
];

/** Every kind that the core may hold. */
export const allKinds: readonly Kind[] = [
  ...kinds,
  define("DataplaneConfig", "turnpike", ["v1"], "dataplaneconfigs"),
  define("UserRules", "turnpike", ["v1"], "userrules"),
  define("PodLoad", "turnpike", ["v1"], "podloads"),
];

const byGroupVersionKind = new Map(
  kinds.flatMap((kind) =>
    kind.versions.map((version) => [`${kind.group ? `${kind.group}/` : ""}${version}#${kind.kind}`, kind] as const),
  ),
);

const byId = new Map(allKinds.map((kind) => [kind.id, kind] as const));

/** The kind of `apiVersion` and `kind` in a manifest; undefined if Turnpike does not read it. */
export const findKind = (apiVersion: string, kind: string): Kind | undefined =>
  byGroupVersionKind.get(`${apiVersion}#${kind}`);

export const kindOf = (id: KindId): Kind => {
  const kind = byId.get(id);
  if (kind === undefined) throw new Error(`no such kind: ${id}`);
  return kind;
};
