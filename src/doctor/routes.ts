/** Routes and their backends. */
import { count, gatewaysOf, lintOf, type Check, type Examined, type OurGateway } from "./check.ts";
import { routeObject } from "../lint/routes.ts";
import type { LintWorld } from "../lint/world.ts";
import type { Condition } from "../resources/core.ts";
import type { Route } from "../resources/view.ts";
import { problem, type Problem } from "./problem.ts";

interface Attached {
  readonly routes: number;
  readonly endpoints: number;
  readonly problems: readonly Problem[];
}

/** Of a served Gateway whose clients may reach peers. */
const attachedTo = ({ rendered, options }: LintWorld, { name }: OurGateway): Attached => {
  const config = rendered(name)?.config;
  // A Gateway without authentication answers only STUN Binding requests.
  if (config === undefined || config.auth.type === "none") return { routes: 0, endpoints: 0, problems: [] };
  const clusters = config.clusters ?? [];
  const endpoints = clusters.reduce((sum, one) => sum + (one.endpoints ?? []).length, 0);
  const object = `Gateway/${name}`;
  const problems =
    clusters.length === 0
      ? [problem("no-route", object, "no route is attached to any of its listeners")]
      : endpoints === 0 && options.endpointDiscovery
        ? [problem("no-endpoint", object, `${clusters.map((one) => one.name).join(", ")}: no endpoint`)]
        : [];
  return { routes: clusters.length, endpoints, problems };
};

interface ParentStatus {
  readonly controllerName: string;
  readonly parentRef: { readonly name: string };
  readonly conditions?: readonly Condition[];
}

/** Conditions of a route that are False, in the operator's words. */
const reported = ({ options }: LintWorld, route: Route): readonly Problem[] => {
  const { parents = [] } = (route.object.status ?? {}) as { readonly parents?: readonly ParentStatus[] };
  return parents
    .filter(({ controllerName }) => controllerName === options.controllerName)
    .flatMap(({ conditions = [], parentRef }) =>
      conditions
        .filter(({ status }) => status === "False")
        .map(({ type, message }) =>
          problem("route-status", routeObject(route), `${type} is False for Gateway ${parentRef.name}: ${message}`),
        ),
    );
};

export const routes: Check = {
  id: "routes",
  title: "Routes",
  needs: ["gateway-class"],
  examine: (evidence): Examined => {
    const { world, only } = evidence;
    const ours = gatewaysOf(evidence);
    if (world === undefined || ours.length === 0) return { skipped: "there is no Gateway: see Gateways" };
    const attached = ours.map((one) => attachedTo(world, one));
    const own = attached.flatMap(({ problems }) => problems);
    const isSaid = (listener: string): boolean =>
      own.some(({ code, object }) => code === "no-route" && listener.startsWith(`${object}/`));
    const found = lintOf(world, "routes", only).filter(
      // A Gateway without any route has no listener with one.
      ({ code, object }) => code !== "listener-without-routes" || !isSaid(object),
    );
    // If lint has a finding, the status repeats it.
    const statuses = ours
      .flatMap(({ name }) => world.view.routesOfGateway(name))
      .filter((route, index, all) => all.findIndex((one) => routeObject(one) === routeObject(route)) === index)
      .filter((route) => !found.some(({ object }) => object === routeObject(route)))
      .flatMap((route) => reported(world, route));
    const hasErrors = statuses.length > 0 || found.some(({ severity }) => severity === "error");
    const sum = (field: "routes" | "endpoints"): number => attached.reduce((total, one) => total + one[field], 0);
    return {
      says: `${count(sum("routes"), "route")} attached, ${count(sum("endpoints"), "endpoint")}`,
      // A finding of lint about a backend is the reason for the missing endpoint, and one about a route for the missing
      // attachment.
      problems: [...found, ...statuses, ...(hasErrors ? [] : own)],
    };
  },
};
