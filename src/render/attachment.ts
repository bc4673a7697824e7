/** Which routes a listener accepts. */
import type { Gateway, GatewayListener, ParentReference } from "../resources/gateway-api.ts";
import type { ObjectsView, RenderOptions, Route } from "../resources/view.ts";
import { nameOf, splitName, type Name } from "../resources/keys.ts";
import { GATEWAY_API_GROUP } from "../resources/names.ts";
import { compareText } from "../order.ts";
import { selectorMatches } from "./label-selector.ts";
import { allowsKind } from "./route-kinds.ts";

/** The Gateway that a parentRef names; undefined if it names another kind of parent. `port` is ignored. */
export const parentGateway = (route: Route, parent: ParentReference): Name | undefined => {
  if ((parent.group ?? GATEWAY_API_GROUP) !== GATEWAY_API_GROUP) return undefined;
  if ((parent.kind ?? "Gateway") !== "Gateway") return undefined;
  return nameOf(parent.namespace ?? splitName(route.name).namespace, parent.name);
};

/** Why a listener does not accept a route by a parentRef. */
export type Rejection =
  /** The parentRef's `sectionName` names another listener. */
  | "section-name"
  /** `allowedRoutes.kinds` contains no kind of the route's group. */
  | "kind"
  /** The listener accepts only routes of its own namespace. */
  | "other-namespace"
  /** The listener selects namespaces by label, and the route's namespace is not known. */
  | "unknown-namespace"
  /** The listener's selector does not match the labels of the route's namespace. */
  | "namespace-labels";

const namespaceRejection = (
  view: ObjectsView,
  gateway: Gateway,
  listener: GatewayListener,
  namespace: string,
): Rejection | undefined => {
  const policy = listener.allowedRoutes?.namespaces;
  switch (policy?.from) {
    case "All":
      return undefined;
    case "Selector": {
      const known = view.get("Namespace", nameOf(undefined, namespace));
      if (known === undefined) return "unknown-namespace";
      const matches = policy.selector !== undefined && selectorMatches(policy.selector, known.metadata.labels ?? {});
      return matches ? undefined : "namespace-labels";
    }
    default:
      return namespace === (gateway.metadata.namespace ?? "default") ? undefined : "other-namespace";
  }
};

/**
 * Why `listener` of `gateway` does not accept `route` by this parentRef, which must name the Gateway; undefined if it does.
 */
export const rejectionOf = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
  listener: GatewayListener,
  route: Route,
  parent: ParentReference,
): Rejection | undefined => {
  if (parent.sectionName !== undefined && parent.sectionName !== listener.name) return "section-name";
  if (!allowsKind(options, listener, route)) return "kind";
  return namespaceRejection(view, gateway, listener, splitName(route.name).namespace);
};

/** A Gateway API route is masked by a native one of the same name. */
export const isMasked = (view: ObjectsView, route: Route): boolean =>
  route.kind === "GatewayUDPRoute" && view.get("UDPRoute", route.name) !== undefined;

/** Routes of a Gateway by listener name: one entry for every parentRef that a listener accepts, sorted by name. */
export type Attachments = ReadonlyMap<string, readonly Route[]>;

export const attachmentsOf = (view: ObjectsView, options: RenderOptions, name: Name, gateway: Gateway): Attachments => {
  const routes = view
    .routesOfGateway(name)
    .filter((route) => !isMasked(view, route))
    .toSorted((a, b) => compareText(a.name, b.name));
  const accepted = (listener: GatewayListener): readonly Route[] =>
    routes.flatMap((route) =>
      (route.object.spec.parentRefs ?? [])
        .filter((parent) => parentGateway(route, parent) === name)
        .filter((parent) => rejectionOf(view, options, gateway, listener, route, parent) === undefined)
        .map(() => route),
    );
  return new Map(gateway.spec.listeners.map((listener) => [listener.name, accepted(listener)] as const));
};

/** Every attached route once, sorted by name. */
export const attachedRoutes = (attachments: Attachments): readonly Route[] =>
  [...new Map([...attachments.values()].flat().map((route) => [route.name, route] as const)).values()].toSorted(
    (a, b) => compareText(a.name, b.name),
  );
