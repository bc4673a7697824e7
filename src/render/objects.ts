/** The Kubernetes objects of a Gateway: those to apply, and those to remove. All have its name. */
import type { KubernetesObject, NetworkPolicy } from "../resources/core.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import type { Name } from "../resources/keys.ts";
import { isMadeKind, type MadeKind } from "../resources/kinds.ts";
import { isForeign } from "../resources/ownership.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";
import { isDataplaneDisabled, type Annotations } from "./annotations.ts";
import { configMapName, type Parameters } from "./classes.ts";
import type { JudgedListener } from "./listeners.ts";
import { outOfReach } from "./embedded.ts";
import { objectNameProblem } from "./object-names.ts";
import { isFirstEdition } from "./rules.ts";
import { renderService } from "./service.ts";
import { renderWorkload } from "./workload.ts";

export interface Removal {
  readonly kind: MadeKind;
  readonly name: Name;
}

/** Why some objects of a Gateway cannot be applied. */
export interface Obstacle {
  readonly message: string;
  /** Permanent for this Gateway: other obstacles may be removed, and a rejection may be temporary. */
  readonly isLasting: boolean;
}

export interface GatewayObjects {
  /** To be applied, as a whole. */
  readonly objects: readonly KubernetesObject[];
  /** Must be absent, if they are ours. */
  readonly removals: readonly Removal[];
  readonly obstacle: Obstacle | undefined;
}

const workloadsAndService = ["Service", "Deployment", "DaemonSet"] as const satisfies readonly MadeKind[];

/** Most Gateways never had a policy: one is removed only where it is. */
const leftPolicy = (view: ObjectsView, name: Name): readonly MadeKind[] =>
  view.get("NetworkPolicy", name) === undefined ? [] : ["NetworkPolicy"];

/** Objects of other owners stay. */
const removals = (view: ObjectsView, name: Name, kinds: readonly MadeKind[]): readonly Removal[] =>
  kinds.filter((kind) => !isForeign(view.get(kind, name))).map((kind) => ({ kind, name }));

/**
 * Of a Gateway that is not served; in legacy mode its Service stays until the Gateway is served again, unless the operator
 * is shutting down.
 */
export const removalsOf = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  ending: boolean,
): readonly Removal[] => {
  if (options.mode === "legacy") return ending ? removals(view, name, ["Service"]) : [];
  return options.mode === "standalone" ? [] : removals(view, name, [...workloadsAndService, ...leftPolicy(view, name)]);
};

/** The ConfigMap belongs to no single Gateway, but no Gateway is programmed without it. */
const configMapObstacle = (view: ObjectsView, options: RenderOptions, { config }: Parameters): string | undefined => {
  if (options.mode !== "legacy") return undefined;
  const name = configMapName(config);
  if (isForeign(view.get("ConfigMap", name))) return inTheWay("ConfigMap", name);
  const refusal = view.refusalOf("ConfigMap", name);
  return refusal && refused("ConfigMap", name, refusal);
};

const inTheWay = (kind: string, name: Name): string => `a ${kind} named ${name} exists and is not managed by Turnpike`;
const refused = (kind: string, name: Name, reason: string): string =>
  `Kubernetes refuses the ${kind} ${name}: ${reason}`;

/** Whether we manage the pods of a Gateway's dataplane. */
export const runsDataplane = (options: RenderOptions, gateway: Gateway): boolean =>
  options.mode !== "legacy" && options.embedded === undefined && !isDataplaneDisabled(gateway);

/**
 * Workloads of another kind are leftovers.
 *
 * @param policy to be applied, if the Gateway asks for one.
 */
export const gatewayObjects = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  gateway: Gateway,
  parameters: Parameters,
  annotations: Annotations,
  judged: readonly JudgedListener[],
  policy: NetworkPolicy | undefined,
): GatewayObjects => {
  if (options.mode === "standalone") return { objects: [], removals: [], obstacle: undefined };
  const unreachable = outOfReach(options, gateway);
  const service = unreachable === undefined ? renderService(name, gateway, judged, annotations, options) : undefined;
  const workload = runsDataplane(options, gateway)
    ? renderWorkload(name, gateway, parameters.dataplane, options)
    : undefined;
  const wanted = [service, workload, policy].flatMap((object) =>
    object !== undefined && isMadeKind(object.kind) ? [{ kind: object.kind, object }] : [],
  );
  const foreign = wanted.find(({ kind }) => isForeign(view.get(kind, name)));
  const problemOf = (kind: MadeKind): string | undefined =>
    isFirstEdition(options) ? undefined : objectNameProblem(kind, name);
  const misnamed = wanted.map(({ kind }) => problemOf(kind)).find((problem) => problem !== undefined);
  const refusal = wanted.flatMap(({ kind }) => {
    const reason = view.refusalOf(kind, name);
    return reason === undefined ? [] : [refused(kind, name, reason)];
  })[0];
  const message =
    unreachable ?? (foreign && inTheWay(foreign.kind, name)) ?? refusal ?? configMapObstacle(view, options, parameters);
  const passing = message === undefined ? undefined : { message, isLasting: false };
  const workloads = options.mode === "legacy" ? [] : (["Deployment", "DaemonSet"] as const);
  const leftovers = [
    ...(unreachable === undefined ? [] : (["Service"] as const)),
    ...workloads.filter((kind) => kind !== workload?.kind),
    ...(policy === undefined ? leftPolicy(view, name) : []),
  ];
  return {
    objects: wanted.flatMap(({ kind, object }) =>
      isForeign(view.get(kind, name)) || problemOf(kind) !== undefined ? [] : [object],
    ),
    removals: removals(view, name, leftovers),
    obstacle: misnamed === undefined ? passing : { message: misnamed, isLasting: true },
  };
};
