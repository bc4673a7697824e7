/** What rendering may read: the last observed objects, and the endpoint machines' states. */
import type { KindId, KindMap } from "./kinds.ts";
import { nameOfObject, type Name } from "./keys.ts";

export type RouteKind = "UDPRoute" | "GatewayUDPRoute";

export type Route =
  | { readonly kind: "UDPRoute"; readonly name: Name; readonly object: KindMap["UDPRoute"] }
  | { readonly kind: "GatewayUDPRoute"; readonly name: Name; readonly object: KindMap["GatewayUDPRoute"] };

export interface BackendEndpoint {
  /** An IP literal, as in the EndpointSlice or Endpoints object. */
  readonly address: string;
  readonly state: "active" | "terminating";
}

/** A certificate that a listener serves: the contents are digests. */
export interface ServedCertificate {
  readonly cert: string;
  readonly key: string;
  /** The Secret that contained it. */
  readonly secret: Name;
  /** RFC 3339, if it is known. */
  readonly notAfter?: string;
  /** It was expired, or not valid yet, when its Secret was last observed. */
  readonly isFlawed?: true;
  /** Others of the same listener, for the names that they have. */
  readonly further?: readonly ServedCertificate[];
}

export interface ObjectsView {
  get<K extends KindId>(kind: K, name: Name): KindMap[K] | undefined;
  /** All objects of a kind, sorted by name. */
  list<K extends KindId>(kind: K): readonly KindMap[K][];
  /** Gateways of a class, sorted by name. */
  gatewaysOfClass(className: string): readonly KindMap["Gateway"][];
  /** Routes of either group with a parentRef that names this Gateway, sorted by name, native ones first. */
  routesOfGateway(gateway: Name): readonly Route[];
  /** Services whose `related-gateway-name` annotation names this Gateway, sorted by name. */
  servicesOfGateway(gateway: Name): readonly KindMap["Service"][];
  /** ReferenceGrants in a namespace, sorted by name. */
  grantsOfNamespace(namespace: string): readonly KindMap["ReferenceGrant"][];
  /** Why Kubernetes rejects an object that we want to write, if its last write was rejected. */
  refusalOf(kind: KindId, name: Name): string | undefined;
  /** The last usable certificate of a listener, by its section name, if it ever had one. */
  lastCertificateOf(gateway: Name, listener: string): ServedCertificate | undefined;
  /**
   * Endpoints of a Service that are not removed, sorted by address. `found` is false if no EndpointSlice with an address
   * (or no Endpoints object at all) exists for it.
   */
  endpointsOfService(service: Name): { readonly found: boolean; readonly endpoints: readonly BackendEndpoint[] };
  /** EndpointSlices of a Service, sorted by name. */
  slicesOfService(service: Name): readonly KindMap["EndpointSlice"][];
}

/** The current version of the rendering rules. Increment it when a rule changes. */
export const RULES = 4;

/** How the program was started, as far as it affects rendering. Recorded in the log with the start. */
/** Every route of either group, each sorted by name, native ones first. */
export const routesOf = (view: ObjectsView): readonly Route[] => [
  ...view
    .list("UDPRoute")
    .map((object): Route => ({ kind: "UDPRoute", name: nameOfObject("UDPRoute", object), object })),
  ...view
    .list("GatewayUDPRoute")
    .map((object): Route => ({ kind: "GatewayUDPRoute", name: nameOfObject("GatewayUDPRoute", object), object })),
];

export interface RenderOptions {
  /** The version of the rules. Logs of the first release have none, and replay with the rules of that release. */
  readonly rules?: number;
  /**
   * `managed`: for a cluster, with managed dataplanes. `legacy`: for a cluster, with a config in a ConfigMap for each
   * class, and user-managed dataplanes. `standalone`: no cluster; Dataplane objects are optional and Services do not route.
   * `dataplane`: configs are received rendered.
   */
  readonly mode: "managed" | "legacy" | "standalone" | "dataplane";
  readonly controllerName: string;
  /** Pod addresses from EndpointSlices or Endpoints; off: STRICT_DNS clusters. */
  readonly endpointDiscovery: boolean;
  /** DNS domain of the names in STRICT_DNS clusters; `cluster.local` if a log does not record it. */
  readonly clusterDomain?: string;
  /** The API that provides the addresses. */
  readonly endpointSource: "EndpointSlice" | "Endpoints";
  /** Whether a Service's ClusterIP is a permitted peer too. */
  readonly relayToClusterIP: boolean;
  /** `HOST:PORT` at which managed dataplanes reach the config discovery service. */
  readonly discoveryAddress: string;
  /** Whether it speaks TLS. */
  readonly discoveryTls: boolean;
  /**
   * Whether native routes and certificateRefs also need a ReferenceGrant to refer to another namespace. Routes of the
   * Gateway API always do.
   */
  readonly requireReferenceGrants: boolean;
  /** Gateway labels that are not copied to generated objects. */
  readonly labelFilter: readonly string[];
  /** The operator's pods relay: their namespace, and labels that select them. There are no other dataplanes then. */
  readonly embedded?: { readonly namespace: string; readonly selector: Readonly<Record<string, string>> };
  /** Standalone: the address at which clients reach every listener. */
  readonly publicAddress?: string;
  /** Of a process that relays: wide prefixes do not admit private peers. */
  readonly deniesPrivate?: boolean;
}
