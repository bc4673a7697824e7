/** The objects and endpoint machines that rendering may read. */
import type { Name } from "../resources/keys.ts";
import type { ObjectsView, Route, RouteKind } from "../resources/view.ts";
import type { Backends } from "../machines/backends.ts";
import { namesOfKind, type Objects } from "../machines/objects.ts";
import type { Certificates } from "./certificates.ts";
import type { Refusals } from "./refusals.ts";

export const routeOf = (kind: RouteKind, name: Name, view: ObjectsView): Route | undefined => {
  const object = view.get(kind, name);
  return object === undefined ? undefined : { kind, name, object };
};

export const createView = (
  objects: Pick<Objects, "get" | "list" | "referrers">,
  backends: Pick<Backends, "endpointsOfService">,
  refusals: Pick<Refusals, "of">,
  certificates: Pick<Certificates, "of">,
): ObjectsView => {
  const view: ObjectsView = {
    get: objects.get,
    list: objects.list,
    gatewaysOfClass: (className) =>
      namesOfKind(objects.referrers(`class:${className}`), "Gateway").flatMap(
        (name) => objects.get("Gateway", name) ?? [],
      ),
    routesOfGateway: (gateway) =>
      // "UDPRoute" before "GatewayUDPRoute": native routes first.
      (["UDPRoute", "GatewayUDPRoute"] as const).flatMap((kind) =>
        namesOfKind(objects.referrers(`gateway:${gateway}`), kind).flatMap((name) => routeOf(kind, name, view) ?? []),
      ),
    servicesOfGateway: (gateway) =>
      namesOfKind(objects.referrers(`owner:${gateway}`), "Service").flatMap(
        (name) => objects.get("Service", name) ?? [],
      ),
    grantsOfNamespace: (namespace) =>
      namesOfKind(objects.referrers(`grant:${namespace}`), "ReferenceGrant").flatMap(
        (name) => objects.get("ReferenceGrant", name) ?? [],
      ),
    refusalOf: refusals.of,
    lastCertificateOf: certificates.of,
    endpointsOfService: backends.endpointsOfService,
    slicesOfService: (service) =>
      namesOfKind(objects.referrers(`endpoints:${service}`), "EndpointSlice").flatMap(
        (name) => objects.get("EndpointSlice", name) ?? [],
      ),
  };

  return view;
};
