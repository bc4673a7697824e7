/** Routes, and their parents. */
import { isMasked, parentGateway, rejectionOf } from "../render/attachment.ts";
import { groupOfRoute } from "../render/route-kinds.ts";
import { controlledGateway } from "../render/classes.ts";
import type { ParentReference } from "../resources/gateway-api.ts";
import { nameOfObject, splitName, type Name } from "../resources/keys.ts";
import { STUNNER_GROUP } from "../resources/names.ts";
import { routesOf, type Route } from "../resources/view.ts";
import { lintBackends } from "./backends.ts";
import { finding, type Finding } from "./finding.ts";
import { isFragment, type LintWorld } from "./world.ts";

/** The usual notation; the two kinds of UDPRoute differ by their group. */
export const routeObject = ({ kind, name }: Route): string =>
  kind === "UDPRoute" ? `UDPRoute.${STUNNER_GROUP}/${name}` : `UDPRoute/${name}`;

/** A Gateway of this name in another namespace: then `namespace` was probably forgotten. */
const elsewhere = ({ view }: LintWorld, wanted: Name): string => {
  const { name } = splitName(wanted);
  const found = view.list("Gateway").find((gateway) => gateway.metadata.name === name);
  return found === undefined ? "" : `; there is ${nameOfObject("Gateway", found)}: add its namespace to the parentRef`;
};

const lintParent = (world: LintWorld, route: Route, parent: ParentReference): readonly Finding[] => {
  const { view, options } = world;
  const object = routeObject(route);
  const name = parentGateway(route, parent);
  // Other kinds of parents belong to other controllers.
  if (name === undefined) return [];
  const gateway = view.get("Gateway", name);
  if (gateway === undefined)
    return [finding("route-parent-missing", object, `Gateway ${name} is not there${elsewhere(world, name)}`)];
  if (controlledGateway(view, options, name) === undefined) return [];
  const { listeners } = gateway.spec;
  const rejections = listeners.map((listener) => rejectionOf(view, options, gateway, listener, route, parent));
  if (rejections.includes(undefined)) return [];
  const { sectionName } = parent;
  const named = rejections.filter((rejection) => rejection !== "section-name");
  const why =
    sectionName !== undefined && named.length === 0
      ? `has no listener ${sectionName}: it has ${listeners.map((listener) => listener.name).join(", ")}`
      : named.some((rejection) => rejection !== "kind")
        ? `lets no routes of namespace ${splitName(route.name).namespace} in`
        : `takes no UDPRoute of group ${groupOfRoute(route)}: see allowedRoutes.kinds`;
  return [finding("route-not-accepted", object, `Gateway ${name} ${why}`)];
};

export const lintRoutes = (world: LintWorld): readonly Finding[] =>
  routesOf(world.view).flatMap((route): readonly Finding[] => {
    const object = routeObject(route);
    const { parentRefs = [], rules } = route.object.spec;
    if (isMasked(world.view, route))
      return [finding("route-masked", object, `UDPRoute.${STUNNER_GROUP} ${route.name} stands in front of it`)];
    if (parentRefs.length === 0) return [finding("route-without-parent", object, "it has no parentRefs")];
    const isOurs = parentRefs.some((parent) => {
      const name = parentGateway(route, parent);
      return name !== undefined && controlledGateway(world.view, world.options, name) !== undefined;
    });
    if (isFragment(world)) return lintBackends(world, route, object).filter(({ code }) => code !== "backend-missing");
    return [
      ...parentRefs.flatMap((parent) => lintParent(world, route, parent)),
      ...(!isOurs
        ? []
        : [
            ...(rules.length > 1 ? [finding("route-rules", object, `it has ${rules.length} rules`)] : []),
            ...lintBackends(world, route, object),
          ]),
    ];
  });
