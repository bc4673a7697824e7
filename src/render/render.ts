/**
 * Rendering: from the last observed objects to dataplane configs, Kubernetes objects and statuses. Pure: the same view and
 * options give the same result, byte for byte. `gateway.ts` assembles a Gateway from `attachment`, `listeners`, `clusters`,
 * `auth` and `admin` (its config), `service` and `workload` (its objects) and `gateway-status`; `route-status`,
 * `gateway-class-status` and, for a whole class, `legacy` complete it.
 */
import type { ObjectsView, RenderOptions, Route } from "../resources/view.ts";
import type { Name } from "../resources/keys.ts";
import { controlledGateway, parametersOf, usableClass } from "./classes.ts";
import type { GatewayClassStatus } from "./conditions.ts";
import { invalidGateway, renderControlledGateway, type RenderedGateway } from "./gateway.ts";
import { renderGatewayClassStatus } from "./gateway-class-status.ts";
import { receivedGateway } from "./received.ts";
import { renderRouteStatus, type RenderedRoute } from "./route-status.ts";

export type { RenderedGateway, RenderedListener } from "./gateway.ts";
export { renderConfigMap, type RenderedConfigMap } from "./legacy.ts";
export type { Removal } from "./objects.ts";
export type { RenderedRoute } from "./route-status.ts";
export type {
  GatewayAddress,
  GatewayClassStatus,
  GatewayStatus,
  ListenerStatus,
  RouteParentStatus,
  RouteStatus,
} from "./conditions.ts";

export interface RenderedGatewayClass {
  readonly status: GatewayClassStatus;
}

const FINALIZING = "operator is unavailable after graceful shutdown";

/** A Gateway of one of our classes; undefined for all others, whose objects, configs and statuses are not ours. */
export const renderGateway = (view: ObjectsView, options: RenderOptions, name: Name): RenderedGateway | undefined => {
  if (options.mode === "dataplane") return receivedGateway(view, name);
  const controlled = controlledGateway(view, options, name);
  return controlled && renderControlledGateway(view, options, name, controlled.gateway, controlled.gatewayClass);
};

/** A class of ours; undefined for a class of another controller or without usable parameters. */
export const renderGatewayClass = (
  view: ObjectsView,
  options: RenderOptions,
  className: string,
): RenderedGatewayClass | undefined => {
  const gatewayClass = usableClass(view, options, className);
  if (gatewayClass === undefined) return undefined;
  const resolved = parametersOf(view, options, gatewayClass);
  return { status: renderGatewayClassStatus(options, gatewayClass, resolved.found ? undefined : resolved.cause) };
};

/** A route of either group. */
export const renderRoute = (view: ObjectsView, options: RenderOptions, route: Route): RenderedRoute =>
  renderRouteStatus(view, options, route);

/** A Gateway after the operator was removed: nothing managed, and a status that says so. */
export const renderFinalizingGateway = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
): RenderedGateway | undefined => {
  const controlled = controlledGateway(view, options, name);
  return controlled && invalidGateway(view, options, name, controlled.gateway, FINALIZING, true);
};

/** A class after the operator was removed. Routes stay as they are: their parents still exist. */
export const renderFinalizingGatewayClass = (
  view: ObjectsView,
  options: RenderOptions,
  className: string,
): RenderedGatewayClass | undefined => {
  const gatewayClass = usableClass(view, options, className);
  return gatewayClass && { status: renderGatewayClassStatus(options, gatewayClass, FINALIZING) };
};
