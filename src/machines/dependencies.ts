/**
 * Determines what must be rendered again when an object changes. The work grows with the change, not with the number of
 * objects.
 */
import { isMadeKind, type AnyObject, type KindId, type KindMap } from "../resources/kinds.ts";
import { keyOf, splitKey, splitName, targetOf, type Name, type ObjectKey } from "../resources/keys.ts";
import { annotations } from "../resources/names.ts";
import { isForeign } from "../resources/ownership.ts";
import type { RouteKind } from "../resources/view.ts";
import { namesOfKind, type Objects } from "./objects.ts";
import { referencesOf, type Reference } from "./references.ts";

/** Gateways, routes and classes to render again. */
export interface Dependants {
  readonly gateways: Set<Name>;
  readonly routes: Set<ObjectKey>;
  readonly classes: Set<string>;
}

const routeKinds: readonly RouteKind[] = ["UDPRoute", "GatewayUDPRoute"];

const collect = (objects: Objects) => {
  const found: Dependants = { gateways: new Set(), routes: new Set(), classes: new Set() };

  const gatewaysOf = (route: AnyObject, kind: RouteKind): void => {
    for (const reference of referencesOf(kind, route))
      if (reference.startsWith("gateway:")) found.gateways.add(targetOf(reference));
  };

  const route = (key: ObjectKey): void => {
    const { kind, name } = splitKey(key);
    found.routes.add(key);
    const object = objects.get(kind as RouteKind, name);
    if (object !== undefined) gatewaysOf(object, kind as RouteKind);
  };

  const routesWith = (reference: Reference): void => {
    for (const key of objects.referrers(reference)) route(key);
  };

  const gateway = (name: Name): void => {
    found.gateways.add(name);
    for (const key of objects.referrers(`gateway:${name}`)) found.routes.add(key);
  };

  const gatewayClass = (name: string): void => {
    found.classes.add(name);
    for (const each of namesOfKind(objects.referrers(`class:${name}`), "Gateway")) gateway(each);
  };

  const config = (name: Name): void => {
    for (const each of namesOfKind(objects.referrers(`config:${name}`), "GatewayClass")) gatewayClass(each);
  };

  return { found, route, routesWith, gateway, gatewayClass, config, gatewaysOf };
};

/** Whether a Gateway, whose Service has the same name, tells its dataplanes of each other. */
const isPublic = (objects: Objects, name: Name): boolean =>
  objects.get("Gateway", name)?.metadata.annotations?.[annotations.relayAddressDiscovery] !== undefined;

/** The dependents of object `name` of `kind`, whose current state is in `objects`, and whose previous one is `before`. */
export const dependantsOf = (objects: Objects, kind: KindId, name: Name, before: AnyObject | undefined): Dependants => {
  const walk = collect(objects);

  // An object of another owner with a Gateway's name blocks the Gateway until it is removed.
  if (isMadeKind(kind) && objects.get("Gateway", name) !== undefined)
    if (isForeign(before) !== isForeign(objects.get(kind, name))) walk.found.gateways.add(name);

  switch (kind) {
    case "GatewayClass":
      walk.gatewayClass(name);
      break;
    case "GatewayConfig":
      walk.config(name);
      break;
    case "Dataplane":
      for (const each of namesOfKind(objects.referrers(`dataplane:${name}`), "GatewayConfig")) walk.config(each);
      break;
    case "Gateway": {
      walk.gateway(name);
      const classNames = [before, objects.get(kind, name)].map(
        (object) => (object as KindMap["Gateway"] | undefined)?.spec.gatewayClassName,
      );
      for (const className of classNames) if (className !== undefined) walk.found.classes.add(className);
      break;
    }
    case "UDPRoute":
    case "GatewayUDPRoute":
      // A native route masks its Gateway API twin, so one changes with the other.
      for (const each of routeKinds) if (each === kind || objects.get(each, name)) walk.route(keyOf(each, name));
      if (before !== undefined) walk.gatewaysOf(before, kind);
      break;
    case "Service":
      walk.routesWith(`service:${name}`);
      for (const each of namesOfKind(objects.referrers(`http-backend:${name}`), "Gateway"))
        walk.found.gateways.add(each);
      for (const object of [before, objects.get(kind, name)])
        for (const reference of object === undefined ? [] : referencesOf(kind, object))
          walk.found.gateways.add(targetOf(reference));
      break;
    case "EndpointSlice":
    case "Endpoints":
      for (const object of [before, objects.get(kind, name)])
        for (const reference of object === undefined ? [] : referencesOf(kind, object)) {
          walk.routesWith(`service:${targetOf(reference)}`);
          if (isPublic(objects, targetOf(reference))) walk.found.gateways.add(targetOf(reference));
        }
      break;
    case "StaticService":
      walk.routesWith(`static-service:${name}`);
      break;
    case "Secret":
      for (const each of namesOfKind(objects.referrers(`secret:${name}`), "Gateway")) walk.gateway(each);
      for (const each of namesOfKind(objects.referrers(`secret:${name}`), "GatewayConfig")) walk.config(each);
      break;
    case "ReferenceGrant": {
      const concerned = objects.referrers(`granted-in:${splitName(name).namespace}`);
      for (const each of routeKinds) for (const route of namesOfKind(concerned, each)) walk.route(keyOf(each, route));
      // Changes of its certificates do not change which routes it takes.
      for (const each of namesOfKind(concerned, "Gateway")) walk.found.gateways.add(each);
      break;
    }
    case "Namespace":
      walk.routesWith(`namespace:${name}`);
      break;
    case "Node":
      // A NodePort listener's public address may be any Node's.
      for (const each of objects.names("Gateway")) walk.found.gateways.add(each);
      break;
    case "DataplaneConfig":
    case "UserRules":
      walk.found.gateways.add(name);
      break;
    case "NetworkPolicy":
      // It may be unwanted by now: whether it is to be removed depends on whether it is there.
      if (objects.get("Gateway", name) !== undefined) walk.found.gateways.add(name);
      break;
    case "Deployment":
    case "DaemonSet":
    case "PodLoad":
      break;
    case "ConfigMap":
      if (isForeign(before) !== isForeign(objects.get(kind, name)))
        for (const each of objects.names("GatewayConfig"))
          if (splitName(each).namespace === splitName(name).namespace) walk.config(each);
      break;
    default:
      kind satisfies never;
  }
  return walk.found;
};
