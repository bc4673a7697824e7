/** The references of each kind of object. Changes propagate along them. */
import type { AnyObject, KindId, KindMap } from "../resources/kinds.ts";
import { httpBackendsOf } from "../resources/http-backends.ts";
import { nameOf, type Name } from "../resources/keys.ts";
import { GATEWAY_API_GROUP, RELATED_GATEWAY_NAME, SERVICE_NAME_LABEL, STUNNER_GROUP } from "../resources/names.ts";
import type { BackendReference, ParentReference, RouteSpec, SecretReference } from "../resources/gateway-api.ts";

/** `WHAT:NAME`, as in the referring object; the target need not exist. */
export type Reference =
  | `class:${string}`
  | `config:${Name}`
  | `dataplane:${string}`
  | `gateway:${Name}`
  | `namespace:${string}`
  | `secret:${Name}`
  | `service:${Name}`
  | `static-service:${Name}`
  /** A Service to which a listener passes on what is not TURN. */
  | `http-backend:${Name}`
  /** A cluster of a received config. */
  | `cluster:${string}`
  /** A generated Service of this Gateway. */
  | `owner:${Name}`
  /** An EndpointSlice or Endpoints object of this Service. */
  | `endpoints:${Name}`
  /** A ReferenceGrant in this namespace. */
  | `grant:${string}`
  /** What a ReferenceGrant in this namespace, which is not the object's own, may concern. */
  | `granted-in:${string}`;

const namespaceOf = (object: AnyObject): string => object.metadata.namespace ?? "default";

const secretOf = (reference: SecretReference, namespace: string): Reference =>
  `secret:${nameOf(reference.namespace ?? namespace, reference.name)}`;

const grantedIn = (target: string | undefined, namespace: string): readonly Reference[] =>
  target === undefined || target === namespace ? [] : [`granted-in:${target}`];

const isGateway = ({ group, kind }: ParentReference): boolean =>
  (group ?? GATEWAY_API_GROUP) === GATEWAY_API_GROUP && (kind ?? "Gateway") === "Gateway";

const backendOf = (reference: BackendReference, namespace: string): readonly Reference[] => {
  const name = nameOf(reference.namespace ?? namespace, reference.name);
  const group = reference.group ?? "";
  if (group === "" && (reference.kind ?? "Service") === "Service") return [`service:${name}`];
  if (group === STUNNER_GROUP && reference.kind === "StaticService") return [`static-service:${name}`];
  return [];
};

const routeReferences = (spec: RouteSpec, namespace: string): readonly Reference[] => [
  `namespace:${namespace}`,
  ...(spec.parentRefs ?? [])
    .filter(isGateway)
    .map((parent): Reference => `gateway:${nameOf(parent.namespace ?? namespace, parent.name)}`),
  // Only the first rule of a route is used, as in STUNner.
  ...(spec.rules[0]?.backendRefs ?? []).flatMap((backend) => [
    ...backendOf(backend, namespace),
    ...grantedIn(backend.namespace, namespace),
  ]),
];

type ReferencesByKind = { readonly [K in KindId]?: (object: KindMap[K]) => readonly Reference[] };

const references: ReferencesByKind = {
  GatewayClass: ({ spec: { parametersRef: ref } }) =>
    ref === undefined ? [] : [`config:${nameOf(ref.namespace, ref.name)}`],
  GatewayConfig: (object) => [
    `dataplane:${object.spec?.dataplane ?? "default"}`,
    ...(object.spec?.authRef === undefined ? [] : [secretOf(object.spec.authRef, namespaceOf(object))]),
  ],
  Gateway: (object) => [
    `class:${object.spec.gatewayClassName}`,
    ...object.spec.listeners.flatMap((listener) =>
      (listener.tls?.certificateRefs ?? []).flatMap((ref) => [
        secretOf(ref, namespaceOf(object)),
        ...grantedIn(ref.namespace, namespaceOf(object)),
      ]),
    ),
    ...[...httpBackendsOf(object.metadata.annotations).backends.entries.values()].map(
      ({ service }): Reference => `http-backend:${nameOf(namespaceOf(object), service)}`,
    ),
  ],
  UDPRoute: (object) => routeReferences(object.spec, namespaceOf(object)),
  GatewayUDPRoute: (object) => routeReferences(object.spec, namespaceOf(object)),
  ReferenceGrant: (object) => [`grant:${namespaceOf(object)}`],
  Service: (object) => {
    const owner = object.metadata.annotations?.[RELATED_GATEWAY_NAME];
    return owner === undefined ? [] : [`owner:${owner as Name}`];
  },
  EndpointSlice: (object) => {
    const service = object.metadata.labels?.[SERVICE_NAME_LABEL];
    return service === undefined ? [] : [`endpoints:${nameOf(namespaceOf(object), service)}`];
  },
  DataplaneConfig: ({ spec }) => (spec.clusters ?? []).map(({ name }): Reference => `cluster:${name}`),
  Endpoints: (object) => [`endpoints:${nameOf(namespaceOf(object), object.metadata.name)}`],
};

export const referencesOf = (kind: KindId, object: AnyObject): readonly Reference[] =>
  (references[kind] as ((object: AnyObject) => readonly Reference[]) | undefined)?.(object) ?? [];
