/** Routes and their backends. */
import { count, gatewaysOf, lintOf, type Check, type Examined, type OurGateway } from "./check.ts";
import type { LintWorld } from "../lint/world.ts";
import { problem, type Problem } from "./problem.ts";

interface Attached {
  readonly routes: number;
  readonly endpoints: number;
  readonly problems: readonly Problem[];
}

/** Of a Gateway that is served and whose clients may reach peers. */
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
      // Of a Gateway without any route each listener is without one.
      ({ code, object }) => code !== "listener-without-routes" || !isSaid(object),
    );
    const hasErrors = found.some(({ severity }) => severity === "error");
    const sum = (field: "routes" | "endpoints"): number => attached.reduce((total, one) => total + one[field], 0);
    return {
      says: `${count(sum("routes"), "route")} attached, ${count(sum("endpoints"), "endpoint")}`,
      // What lint says of a backend is why there is no endpoint, and of a route why none is attached.
      problems: [...found, ...(hasErrors ? [] : own)],
    };
  },
};
