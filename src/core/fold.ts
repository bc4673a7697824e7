/**
 * Folding: renders what the facts have touched, advances the machines, and records what changed as derivations and as
 * changes that effects must apply.
 */
import type { Derivation } from "../journal/fact.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { splitKey, type Name, type ObjectKey } from "../resources/keys.ts";
import type { ObjectsView, RenderOptions, RouteKind } from "../resources/view.ts";
import type { Registry } from "../machines/registry.ts";
import { renderDeletionCost } from "../render/deletion-cost.ts";
import {
  renderConfigMap,
  renderFinalizingGateway,
  renderFinalizingGatewayClass,
  renderGateway,
  renderGatewayClass,
  renderRoute,
  type RenderedConfigMap,
  type RenderedGateway,
} from "../render/render.ts";
import type { AdmissionStep } from "../admission/transition.ts";
import type { Admissions } from "./admissions.ts";
import type { Certificates } from "./certificates.ts";
import type { Derived } from "./derived.ts";
import { moveListeners } from "./listeners.ts";
import type { Outputs } from "./outputs.ts";
import { moveUsers } from "./users.ts";
import { routeOf } from "./view.ts";

/** What effects must apply after a fold. */
export interface GatewayChange {
  readonly gateway: Name;
  readonly cause: number;
  /** `undefined`: the dataplane must be torn down. */
  readonly config: DataplaneConfig | undefined;
  /** Terminating endpoints of the config, by cluster. */
  readonly draining: Readonly<Record<string, readonly string[]>>;
  /** What the change means for admission, if a relay receives it. */
  readonly admission: AdmissionStep | undefined;
}

export interface Fold {
  readonly derived: readonly Derived[];
  readonly changes: readonly GatewayChange[];
}

/** What must be rendered again, each with the latest fact that caused it. */
export interface Touched {
  readonly gateways: Map<Name, number>;
  readonly routes: Map<ObjectKey, number>;
  readonly classes: Map<string, number>;
  readonly pods: Map<Name, number>;
}

export interface Folding {
  /** Renders what was touched, and resets it. @param time of the fold, in ms since 1970. */
  fold(touched: Touched, time: number): Fold;
  rendered(gateway: Name): RenderedGateway | undefined;
  /** Legacy mode: the config of a class, by its ConfigMap. */
  configMap(name: Name): ClassConfigMap | undefined;
  deletionCost(pod: Name): number | undefined;
}

/** A ConfigMap, and the class whose config it has. */
export interface ClassConfigMap extends RenderedConfigMap {
  readonly className: string;
}

/** Terminating endpoints, if there are any. */
const drainingOf = (gateway: RenderedGateway | undefined): RenderedGateway["draining"] | undefined =>
  gateway === undefined || Object.keys(gateway.draining).length === 0 ? undefined : gateway.draining;

/** Objects to apply and to remove, by `KIND NAME`. */
const objectsOf = (gateway: RenderedGateway | undefined): Readonly<Record<string, unknown>> | undefined => {
  if (gateway === undefined) return undefined;
  const entries = [
    ...gateway.objects.map((object) => [object.kind, object] as const),
    ...gateway.removals.map(({ kind, name }) => [`no ${kind} ${name}`, true] as const),
  ];
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
};

/** After draining, every gateway is torn down, whatever the manifests say. */
const isFinalizing = (registry: Registry): boolean => {
  const state = registry.state("operator", "operator");
  return state === undefined || state === "finalizing";
};

export const createFolding = (
  view: ObjectsView,
  options: RenderOptions,
  registry: Registry,
  {
    outputs,
    certificates,
    admissions,
  }: { readonly outputs: Outputs; readonly certificates: Certificates; readonly admissions: Admissions | undefined },
): Folding => {
  const rendered = new Map<Name, RenderedGateway>();
  const configMaps = new Map<Name, ClassConfigMap>();
  const deletionCosts = new Map<Name, number>();

  const foldGateway = (name: Name, cause: number, time: number): Fold => {
    const derived: Derivation[] = [];
    const ending = isFinalizing(registry);
    const next = (ending ? renderFinalizingGateway : renderGateway)(view, options, name);
    const before = rendered.get(name);

    derived.push(...moveListeners(registry, before, ending ? undefined : next));
    derived.push(...moveUsers(registry, name, before?.config, ending ? undefined : next?.config));
    if (next === undefined) rendered.delete(name);
    else rendered.set(name, next);
    if (next === undefined || ending) {
      if (registry.state("gateway", name) !== undefined) derived.push(...registry.send("gateway", name, "deleted"));
    } else {
      // Its class, or an object that its class uses, is ours again before the teardown is complete.
      if (registry.state("gateway", name) === "terminating")
        derived.push(...registry.send("gateway", name, "recreated"));
      derived.push(
        ...(next.config === undefined
          ? registry.send("gateway", name, "invalidated", next.invalid)
          : registry.send("gateway", name, "rendered")),
      );
    }

    const configChanged = outputs.put({ id: `config ${name}`, value: next?.config }, time, derived);
    const drainingChanged = outputs.put({ id: `draining ${name}`, value: drainingOf(next) }, time, derived);
    // The log must contain them, because no object does.
    outputs.put({ id: `certificates ${name}`, value: certificates.take(name, next), isShown: true }, time, derived);
    const object = view.get("Gateway", name);
    const status = { value: object && next?.status, stored: object?.status };
    outputs.put({ id: `status Gateway/${name}`, ...status }, time, derived);
    outputs.put({ id: `objects ${name}`, value: objectsOf(next) }, time, derived);

    const published = before?.config !== undefined || next?.config !== undefined;
    // A Gateway without a config has nothing to tear down, but its machine waits for the end of the teardown.
    const ended = (next === undefined || ending) && registry.state("gateway", name) === "terminating";
    const changes: GatewayChange[] =
      (published && (configChanged || drainingChanged)) || ended
        ? [
            {
              gateway: name,
              cause,
              config: next?.config,
              draining: next?.draining ?? {},
              admission: admissions?.step(name, before, next, cause),
            },
          ]
        : [];
    return { derived: derived.map((derivation) => ({ cause, derivation })), changes };
  };

  const foldRoute = (key: ObjectKey, cause: number, time: number): readonly Derived[] => {
    const derived: Derivation[] = [];
    const { kind, name } = splitKey(key);
    const route = routeOf(kind as RouteKind, name, view);
    if (route === undefined) {
      if (registry.state("route", key) !== undefined) derived.push(...registry.send("route", key, "deleted"));
      outputs.put({ id: `status ${key}`, value: undefined }, time, derived);
    } else {
      const next = renderRoute(view, options, route);
      // A route of another controller is ignored until it has a Gateway of ours as parent.
      if (next.outcome === "uncontrolled" && registry.state("route", key) === undefined) return [];
      const event =
        next.outcome === "masked"
          ? "masked"
          : next.outcome !== "attached"
            ? "detached"
            : next.resolved
              ? "attached"
              : "attached unresolved";
      derived.push(...registry.send("route", key, event, next.why === event ? undefined : next.why));
      if (next.status !== undefined)
        outputs.put({ id: `status ${key}`, value: next.status, stored: route.object.status }, time, derived);
    }
    return derived.map((derivation) => ({ cause, derivation }));
  };

  const foldClass = (name: string, cause: number, time: number): readonly Derived[] => {
    const derived: Derivation[] = [];
    const status = (isFinalizing(registry) ? renderFinalizingGatewayClass : renderGatewayClass)(
      view,
      options,
      name,
    )?.status;
    const stored = view.get("GatewayClass", name as Name)?.status;
    outputs.put({ id: `status GatewayClass/${name}`, value: status, stored }, time, derived);
    return derived.map((derivation) => ({ cause, derivation }));
  };

  /** After the Gateways: a class's config is built from theirs. */
  const foldConfigMap = (className: string, cause: number, time: number): readonly Derived[] => {
    const derived: Derivation[] = [];
    const next = isFinalizing(registry)
      ? undefined
      : renderConfigMap(view, options, className, (gateway) => rendered.get(gateway));
    for (const [name, before] of configMaps)
      if (before.className === className && name !== next?.name) {
        configMaps.delete(name);
        outputs.put({ id: `configmap ${name}`, value: undefined }, time, derived);
      }
    if (next !== undefined) {
      configMaps.set(next.name, { ...next, className });
      outputs.put({ id: `configmap ${next.name}`, value: { object: next.object, ...next.config } }, time, derived);
    }
    return derived.map((derivation) => ({ cause, derivation }));
  };

  const foldPod = (pod: Name, cause: number, time: number): readonly Derived[] => {
    const derived: Derivation[] = [];
    const cost = renderDeletionCost(view, pod);
    if (cost === undefined) deletionCosts.delete(pod);
    else deletionCosts.set(pod, cost);
    const value = cost === undefined ? undefined : { cost };
    outputs.put({ id: `deletion-cost ${pod}`, value, isShown: true }, time, derived);
    return derived.map((derivation) => ({ cause, derivation }));
  };

  /** Classes whose config may have changed. */
  const classesOf = ({ gateways, classes }: Touched): ReadonlyMap<string, number> => {
    const found = new Map(classes);
    for (const [name, cause] of gateways) {
      const className = view.get("Gateway", name)?.spec.gatewayClassName;
      if (className !== undefined) found.set(className, Math.max(cause, found.get(className) ?? 0));
    }
    return found;
  };

  return {
    rendered: (gateway) => rendered.get(gateway),
    configMap: (name) => configMaps.get(name),
    deletionCost: (pod) => deletionCosts.get(pod),
    fold(touched, time) {
      const { gateways, routes, classes, pods } = touched;
      const derived: Derived[] = [];
      const changes: GatewayChange[] = [];
      for (const [name, cause] of classes) derived.push(...foldClass(name, cause, time));
      for (const [name, cause] of gateways) {
        const folded = foldGateway(name, cause, time);
        derived.push(...folded.derived);
        changes.push(...folded.changes);
      }
      if (options.mode === "legacy")
        for (const [name, cause] of classesOf(touched)) derived.push(...foldConfigMap(name, cause, time));
      for (const [key, cause] of routes) derived.push(...foldRoute(key, cause, time));
      for (const [pod, cause] of pods) derived.push(...foldPod(pod, cause, time));
      pods.clear();
      classes.clear();
      gateways.clear();
      routes.clear();
      admissions?.folded();
      return { derived, changes };
    },
  };
};
