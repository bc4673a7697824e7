/** The Kubernetes objects of a Gateway: those to be there, and those to be gone. All bear its name. */
import type { KubernetesObject } from "../resources/core.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import type { Name } from "../resources/keys.ts";
import { madeKinds, type MadeKind } from "../resources/kinds.ts";
import { isForeign } from "../resources/ownership.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";
import { isDataplaneDisabled, type Annotations } from "./annotations.ts";
import type { Parameters } from "./classes.ts";
import type { JudgedListener } from "./listeners.ts";
import { renderService } from "./service.ts";
import { renderWorkload, workloadKind } from "./workload.ts";

export interface Removal {
  readonly kind: MadeKind;
  readonly name: Name;
}

export interface GatewayObjects {
  /** To be applied, as a whole. */
  readonly objects: readonly KubernetesObject[];
  /** To be absent, where they are ours. */
  readonly removals: readonly Removal[];
  /** Why not all of them can be there. */
  readonly obstacle: string | undefined;
}

/** What somebody else made stays. */
const removals = (view: ObjectsView, name: Name, kinds: readonly MadeKind[]): readonly Removal[] =>
  kinds.filter((kind) => !isForeign(view.get(kind, name))).map((kind) => ({ kind, name }));

/** Of a Gateway that is not served. */
export const noObjects = (view: ObjectsView, options: RenderOptions, name: Name): GatewayObjects => ({
  objects: [],
  removals: options.mode === "standalone" ? [] : removals(view, name, madeKinds),
  obstacle: undefined,
});

/** Workloads of a kind that is not wanted are leftovers. */
export const gatewayObjects = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  gateway: Gateway,
  parameters: Parameters,
  annotations: Annotations,
  judged: readonly JudgedListener[],
): GatewayObjects => {
  if (options.mode === "standalone") return { objects: [], removals: [], obstacle: undefined };
  const wanted: readonly (readonly [MadeKind, KubernetesObject | undefined])[] = [
    ["Service", renderService(name, gateway, judged, annotations)],
    isDataplaneDisabled(gateway)
      ? ["Deployment", undefined]
      : [workloadKind(parameters.dataplane), renderWorkload(name, gateway, parameters.dataplane, options)],
  ];
  const present = wanted.filter(([, object]) => object !== undefined).map(([kind]) => kind);
  const inTheWay = present.find((kind) => isForeign(view.get(kind, name)));
  const refused = present.find((kind) => view.refusalOf(kind, name) !== undefined);
  return {
    objects: wanted.flatMap(([kind, object]) =>
      object === undefined || isForeign(view.get(kind, name)) ? [] : [object],
    ),
    removals: removals(
      view,
      name,
      (["Deployment", "DaemonSet"] as const).filter((kind) => !present.includes(kind)),
    ),
    obstacle:
      inTheWay !== undefined
        ? `a ${inTheWay} named ${name} exists and is not managed by Turnpike`
        : refused && `Kubernetes refuses the ${refused} ${name}: ${view.refusalOf(refused, name)}`,
  };
};
