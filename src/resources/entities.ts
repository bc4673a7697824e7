/**
 * Names of the machines' entities in logs. A gateway is its `Name`, a route its `ObjectKey`, and the operator `operator`;
 * listeners, endpoints and users have the forms below.
 */
import { targetOf, type Name } from "./keys.ts";

/** A Service or StaticService, or a cluster of a received config, as a reference. */
export type Backend = `service:${Name}` | `static-service:${Name}` | `cluster:${string}`;

const STATIC = "static:";

/** A backend before the `#` of its endpoints: `NAMESPACE/SERVICE`, `static:NAMESPACE/STATICSERVICE` or the name of a cluster. */
export const backendId = (backend: Backend): string =>
  `${backend.startsWith("static-service:") ? STATIC : ""}${targetOf(backend)}`;

/** Clusters of a received config have the name of their route, and cannot be distinguished from Services. */
export const splitBackendId = (id: string): { readonly kind: "Service" | "StaticService"; readonly name: Name } =>
  id.startsWith(STATIC)
    ? { kind: "StaticService", name: id.slice(STATIC.length) as Name }
    : { kind: "Service", name: id as Name };

/** `BACKEND#ADDRESS`; of a received config `CLUSTER#ENDPOINT`, where an endpoint may be a prefix and have a port range. */
export const endpointEntity = (backend: Backend, address: string): string => `${backendId(backend)}#${address}`;

/** `backend` is a `backendId`. */
export const splitEndpoint = (entity: string): { readonly backend: string; readonly address: string } => {
  const hash = entity.indexOf("#");
  return { backend: entity.slice(0, hash), address: entity.slice(hash + 1) };
};

/** `NAMESPACE/GATEWAY/LISTENER`, which is the listener's name in a config, too. */
export const listenerEntity = (gateway: Name, listener: string): string => `${gateway}/${listener}`;

/** `NAMESPACE/GATEWAY@USER`, or a relayed transport address in place of a user. */
export const userEntity = (gateway: Name, user: string): string => `${gateway}@${user}`;

/** Undefined if `entity` has another form: a hand-written config may name its listeners freely. */
export const splitListener = (entity: string): { readonly gateway: Name; readonly listener: string } | undefined => {
  const [, gateway, listener] = /^([^/]+\/[^/]+)\/([^/]+)$/.exec(entity) ?? [];
  return gateway === undefined || listener === undefined ? undefined : { gateway: gateway as Name, listener };
};
