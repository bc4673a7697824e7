/** The status of a route for each of its parents. */
import type { Condition } from "../resources/core.ts";
import type { ParentReference } from "../resources/gateway-api.ts";
import type { ObjectsView, RenderOptions, Route } from "../resources/view.ts";
import { GATEWAY_API_GROUP } from "../resources/names.ts";
import { isMasked, parentGateway, rejectionOf } from "./attachment.ts";
import { controlledGateway } from "./classes.ts";
import { renderCluster, type BackendProblem } from "./clusters.ts";
import { condition, generationOf, type RouteParentStatus, type RouteStatus } from "./conditions.ts";

/** The API's limit for `status.parents`. */
const MAX_PARENTS = 32;

export interface RenderedRoute {
  /** Undefined: none of its Gateways is ours, and its status stays as it is. */
  readonly status: RouteStatus | undefined;
  readonly outcome: "attached" | "detached" | "masked" | "uncontrolled";
  readonly resolved: boolean;
  readonly why: string;
}

type Judged = "accepted" | "rejected" | "missing" | "foreign";

/** `foreign` parents, of other kinds or other controllers' classes: we do not report on them. */
const judge = (view: ObjectsView, options: RenderOptions, route: Route, parent: ParentReference): Judged => {
  const name = parentGateway(route, parent);
  if (name === undefined) return "foreign";
  if (view.get("Gateway", name) === undefined) return "missing";
  const controlled = controlledGateway(view, options, name);
  if (controlled === undefined) return "foreign";
  const { gateway } = controlled;
  const accepts = gateway.spec.listeners.some(
    (listener) => rejectionOf(view, options, gateway, listener, route, parent) === undefined,
  );
  return accepts ? "accepted" : "rejected";
};

const acceptance = (judged: Judged, parent: string, masked: boolean, generation: number): Condition => {
  const rejected = (reason: string, message: string): Condition =>
    condition("Accepted", "False", reason, message, generation);
  if (judged === "missing") return rejected("NoMatchingParent", `parent ${parent} does not exist`);
  if (masked) return rejected("Pending", "masked by the stunner.l7mp.io UDPRoute of the same name");
  return judged === "accepted"
    ? condition("Accepted", "True", "Accepted", `parent ${parent} accepts the route`, generation)
    : rejected("NotAllowedByListeners", `parent ${parent} rejects the route: no listener accepts it`);
};

const unresolvedReason = {
  kind: "InvalidKind",
  "not-found": "BackendNotFound",
  "not-permitted": "RefNotPermitted",
  "no-endpoints": "NoEndpoints",
  unsupported: "UnsupportedValue",
} as const satisfies Record<BackendProblem["kind"], string>;

/** Of several problems the last one is reported. */
const resolution = (problem: BackendProblem | undefined, generation: number): Condition =>
  problem === undefined
    ? condition("ResolvedRefs", "True", "ResolvedRefs", "backends resolved", generation)
    : condition("ResolvedRefs", "False", unresolvedReason[problem.kind], problem.message, generation);

/** Group and kind are always explicit, so that a status is the same with and without an API server's defaults. */
const echo = (parent: ParentReference): ParentReference => ({
  group: parent.group ?? GATEWAY_API_GROUP,
  kind: parent.kind ?? "Gateway",
  ...(parent.namespace === undefined ? {} : { namespace: parent.namespace }),
  name: parent.name,
  ...(parent.sectionName === undefined ? {} : { sectionName: parent.sectionName }),
});

const isParentStatus = (entry: unknown): entry is RouteParentStatus =>
  typeof entry === "object" && entry !== null && "controllerName" in entry && "parentRef" in entry;

/** Entries of other controllers: the list is written as a whole, so they are written back unchanged. */
const othersParents = (options: RenderOptions, route: Route): readonly RouteParentStatus[] => {
  const status = route.object.status;
  if (typeof status !== "object" || status === null || !("parents" in status) || !Array.isArray(status.parents))
    return [];
  const entries: readonly unknown[] = status.parents;
  return entries.filter(isParentStatus).filter((entry) => entry.controllerName !== options.controllerName);
};

const explain = (judged: readonly Judged[], masked: boolean, problem: BackendProblem | undefined): string => {
  if (masked) return "masked by the stunner.l7mp.io UDPRoute of the same name";
  if (!judged.includes("accepted")) return "no listener accepts the route";
  return problem?.message ?? "attached";
};

export const renderRouteStatus = (view: ObjectsView, options: RenderOptions, route: Route): RenderedRoute => {
  const parents = route.object.spec.parentRefs ?? [];
  const judged = parents.map((parent) => judge(view, options, route, parent));
  if (!judged.some((one) => one === "accepted" || one === "rejected"))
    return { status: undefined, outcome: "uncontrolled", resolved: true, why: "none of its Gateways is ours" };

  const masked = isMasked(view, route);
  const problem = masked ? undefined : renderCluster(view, options, route).problems.at(-1);
  const generation = generationOf(route.object);
  const ours = parents.flatMap((parent, index): readonly RouteParentStatus[] => {
    const one = judged[index];
    if (one === undefined || one === "foreign") return [];
    return [
      {
        parentRef: echo(parent),
        controllerName: options.controllerName,
        conditions: [
          acceptance(one, parentGateway(route, parent) ?? parent.name, masked, generation),
          resolution(problem, generation),
        ],
      },
    ];
  });
  return {
    status: { parents: [...ours, ...othersParents(options, route)].slice(0, MAX_PARENTS) },
    outcome: masked ? "masked" : judged.includes("accepted") ? "attached" : "detached",
    resolved: problem === undefined,
    why: explain(judged, masked, problem),
  };
};
