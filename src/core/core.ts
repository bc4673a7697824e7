/**
 * The core: facts go in, transitions and outputs come out. No clock, no randomness, no I/O; the same facts give the
 * same derivations, byte for byte, today and on replay.
 *
 * `apply` takes one fact and moves the machines it concerns. `fold` renders, once, all that the facts since the last
 * fold have touched. Whoever runs the core writes down both, in order.
 */
import type { Derivation, FactLine } from "../journal/fact.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { nameOfObject, splitKey, type Name, type ObjectKey } from "../resources/keys.ts";
import { kinds, type AnyObject, type KindId } from "../resources/kinds.ts";
import type { ObjectsView, RenderOptions, Route, RouteKind } from "../resources/view.ts";
import { createBackends, type Backend } from "../machines/backends.ts";
import { dependantsOf } from "../machines/dependencies.ts";
import { createObjects, namesOfKind } from "../machines/objects.ts";
import { referencesOf } from "../machines/references.ts";
import { createRegistry, type Registry, type RegistrySnapshot, type Transition } from "../machines/registry.ts";
import {
  renderFinalizingGateway,
  renderFinalizingGatewayClass,
  renderGateway,
  renderGatewayClass,
  renderRoute,
  type RenderedGateway,
} from "../render/render.ts";
import { createOutputs } from "./outputs.ts";
import { moveListeners } from "./listeners.ts";

/** A derivation and the fact that it follows from. */
export interface Derived {
  readonly cause: number;
  readonly derivation: Derivation;
}

/** What effects must bring about after a fold. */
export interface GatewayChange {
  readonly gateway: Name;
  readonly cause: number;
  /** `undefined`: the dataplane is to be torn down. */
  readonly config: DataplaneConfig | undefined;
  /** Terminating endpoints of the config, by cluster. */
  readonly draining: Readonly<Record<string, readonly string[]>>;
}

export interface Fold {
  readonly derived: readonly Derived[];
  readonly changes: readonly GatewayChange[];
}

export interface CoreSnapshot {
  readonly options: RenderOptions;
  readonly objects: readonly (readonly [KindId, AnyObject])[];
  readonly registry: RegistrySnapshot;
  /** Statuses with their transition times, by output. */
  readonly statuses: readonly (readonly [string, unknown])[];
}

export interface Core {
  apply(fact: FactLine): readonly Derived[];
  /** Whether a fold would have anything to do. */
  readonly dirty: boolean;
  fold(time: number): Fold;
  readonly view: ObjectsView;
  readonly registry: Registry;
  readonly options: RenderOptions;
  rendered(gateway: Name): RenderedGateway | undefined;
  status(object: ObjectKey): unknown;
  export(): CoreSnapshot;
}

/** Terminating endpoints, where there are any. */
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

/** A digest of a text, the same on every machine. */
export type Digest = (text: string) => string;

const routeOf = (kind: RouteKind, name: Name, view: ObjectsView): Route | undefined => {
  const object = view.get(kind, name);
  return object === undefined ? undefined : { kind, name, object };
};

export const createCore = (options: RenderOptions, digest: Digest, snapshot?: CoreSnapshot): Core => {
  const objects = createObjects();
  const registry = createRegistry(snapshot?.registry);
  const backends = createBackends(objects, registry, options);
  const outputs = createOutputs(digest);
  const rendered = new Map<Name, RenderedGateway>();
  // What to render again, and the latest fact that asked for it.
  const dirtyGateways = new Map<Name, number>();
  const dirtyRoutes = new Map<ObjectKey, number>();
  const dirtyClasses = new Map<string, number>();

  const view: ObjectsView = {
    get: objects.get,
    list: objects.list,
    gatewaysOfClass: (className) =>
      namesOfKind(objects.referrers(`class:${className}`), "Gateway").flatMap(
        (name) => objects.get("Gateway", name) ?? [],
      ),
    routesOfGateway: (gateway) =>
      // "UDPRoute" before "GatewayUDPRoute": native routes first.
      (["UDPRoute", "GatewayUDPRoute"] as const).flatMap((kind) =>
        namesOfKind(objects.referrers(`gateway:${gateway}`), kind).flatMap((name) => routeOf(kind, name, view) ?? []),
      ),
    servicesOfGateway: (gateway) =>
      namesOfKind(objects.referrers(`owner:${gateway}`), "Service").flatMap(
        (name) => objects.get("Service", name) ?? [],
      ),
    endpointsOfService: backends.endpointsOfService,
  };

  const isBackend = (reference: string): reference is Backend =>
    reference.startsWith("service:") || reference.startsWith("static-service:");

  /** Backends whose endpoints an object decides, as it was and as it is. */
  const backendsTouched = (
    kind: KindId,
    name: Name,
    versions: readonly (AnyObject | undefined)[],
  ): ReadonlySet<Backend> => {
    const touched = new Set<Backend>();
    if (kind === "StaticService") touched.add(`static-service:${name}`);
    for (const object of versions) {
      if (object === undefined) continue;
      for (const reference of referencesOf(kind, object)) {
        if (isBackend(reference)) touched.add(reference);
        else if (reference.startsWith("endpoints:"))
          touched.add(`service:${reference.slice("endpoints:".length) as Name}`);
      }
    }
    return touched;
  };

  const put = (kind: KindId, name: Name, object: AnyObject | undefined, seq: number): readonly Transition[] => {
    const before = objects.put(kind, name, object);
    const transitions: Transition[] = [];

    if (kind === "Gateway" && object !== undefined && registry.state("gateway", name) === "terminating")
      transitions.push(...registry.send("gateway", name, "recreated"));

    for (const backend of backendsTouched(kind, name, [before, object]))
      transitions.push(...backends.reconcile(backend));

    const dependants = dependantsOf(objects, kind, name, before);
    for (const gateway of dependants.gateways) dirtyGateways.set(gateway, seq);
    for (const route of dependants.routes) dirtyRoutes.set(route, seq);
    for (const className of dependants.classes) dirtyClasses.set(className, seq);
    return transitions;
  };

  const finalize = (seq: number): readonly Transition[] => {
    for (const gateway of registry.entities("gateway").keys()) dirtyGateways.set(gateway as Name, seq);
    for (const className of objects.names("GatewayClass")) dirtyClasses.set(className, seq);
    return registry.send("operator", "operator", "drained");
  };

  /** Past draining every gateway is torn down, whatever the manifests say. */
  const finalizing = (): boolean => {
    const state = registry.state("operator", "operator");
    return state === undefined || state === "finalizing";
  };

  /** Nothing is concluded from half a list: what is not listed yet would look as if it were missing. */
  const synced = (): boolean => {
    const state = registry.state("operator", "operator");
    return state !== "starting" && state !== "syncing";
  };

  const move = (fact: FactLine): readonly Transition[] => {
    switch (fact.type) {
      case "operator.started":
        return registry.send("operator", "operator", "started");
      case "objects.synced":
        // Without a cluster there is no lease to wait for.
        return [
          ...registry.send("operator", "operator", "synced"),
          ...(options.mode === "standalone" ? registry.send("operator", "operator", "elected") : []),
        ];
      case "operator.stopping":
        return registry.send("operator", "operator", "stopping");
      case "operator.drained":
        return finalize(fact.seq);
      case "operator.finalized":
        return registry.send("operator", "operator", "finalized");
      case "object.seen":
        return put(fact.data.kind, nameOfObject(fact.data.kind, fact.data.object), fact.data.object, fact.seq);
      case "object.gone":
        return put(fact.data.kind, fact.data.name, undefined, fact.seq);
      case "gateway.removed":
        return registry.state("gateway", fact.data.gateway) === "terminating"
          ? registry.send("gateway", fact.data.gateway, "removed")
          : [];
      case "listener.bound":
      case "listener.failed":
      case "listener.closed": {
        const event = fact.type === "listener.bound" ? "bound" : fact.type === "listener.failed" ? "failed" : "closed";
        // A listener that was dropped meanwhile has no machine, and needs none again.
        return registry.state("listener", fact.data.listener) === undefined
          ? []
          : registry.send("listener", fact.data.listener, event, "reason" in fact.data ? fact.data.reason : undefined);
      }
      case "journal.recovered":
      case "object.rejected":
      case "object.corrected":
      case "watch.lost":
      case "watch.restored":
      case "effect.failed":
      case "gateway.published":
      case "endpoint.revoked":
      case "allocation.opened":
      case "allocation.closed":
      case "peer.refused":
        return [];
      default:
        return fact satisfies never;
    }
  };

  const foldGateway = (name: Name, cause: number, time: number): Fold => {
    const derived: Derivation[] = [];
    const ending = finalizing();
    const next = (ending ? renderFinalizingGateway : renderGateway)(view, options, name);
    const before = rendered.get(name);

    derived.push(...moveListeners(registry, name, before, ending ? undefined : next));
    if (next === undefined) rendered.delete(name);
    else rendered.set(name, next);
    if (next === undefined || ending) {
      if (registry.state("gateway", name) !== undefined) derived.push(...registry.send("gateway", name, "deleted"));
    } else {
      derived.push(
        ...(next.config === undefined
          ? registry.send("gateway", name, "invalidated", next.invalid)
          : registry.send("gateway", name, "rendered")),
      );
    }

    const configChanged = outputs.put({ id: `config ${name}`, value: next?.config }, time, derived);
    const drainingChanged = outputs.put({ id: `draining ${name}`, value: drainingOf(next) }, time, derived);
    outputs.put({ id: `status Gateway/${name}`, value: next?.status }, time, derived);
    outputs.put({ id: `objects ${name}`, value: objectsOf(next) }, time, derived);

    const published = before?.config !== undefined || next?.config !== undefined;
    // A Gateway without a config that ends has nothing to tear down, yet its machine waits for word of it.
    const ended = (next === undefined || ending) && registry.state("gateway", name) === "terminating";
    const changes: GatewayChange[] =
      (published && (configChanged || drainingChanged)) || ended
        ? [{ gateway: name, cause, config: next?.config, draining: next?.draining ?? {} }]
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
      // Another controller's route is none of ours until a Gateway of ours is its parent.
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
      if (next.status !== undefined) outputs.put({ id: `status ${key}`, value: next.status }, time, derived);
    }
    return derived.map((derivation) => ({ cause, derivation }));
  };

  const foldClass = (name: string, cause: number, time: number): readonly Derived[] => {
    const derived: Derivation[] = [];
    const status = (finalizing() ? renderFinalizingGatewayClass : renderGatewayClass)(view, options, name)?.status;
    outputs.put({ id: `status GatewayClass/${name}`, value: status }, time, derived);
    return derived.map((derivation) => ({ cause, derivation }));
  };

  const fold: Core["fold"] = (time) => {
    const derived: Derived[] = [];
    const changes: GatewayChange[] = [];
    for (const [name, cause] of dirtyClasses) derived.push(...foldClass(name, cause, time));
    for (const [name, cause] of dirtyGateways) {
      const folded = foldGateway(name, cause, time);
      derived.push(...folded.derived);
      changes.push(...folded.changes);
    }
    for (const [key, cause] of dirtyRoutes) derived.push(...foldRoute(key, cause, time));
    dirtyClasses.clear();
    dirtyGateways.clear();
    dirtyRoutes.clear();
    return { derived, changes };
  };

  if (snapshot !== undefined) {
    // The machines are where the snapshot says; putting the objects back moves none, and the fold only fills caches.
    for (const [kind, object] of snapshot.objects) put(kind, nameOfObject(kind, object), object, 0);
    outputs.restore(snapshot.statuses);
    fold(0);
  }

  return {
    options,
    view,
    registry,
    rendered: (gateway) => rendered.get(gateway),
    status: (object) => outputs.get(`status ${object}`),
    apply: (fact) => move(fact).map((derivation) => ({ cause: fact.seq, derivation })),
    get dirty() {
      return synced() && dirtyGateways.size + dirtyRoutes.size + dirtyClasses.size > 0;
    },
    fold,
    export: () => ({
      options,
      objects: kinds.flatMap(({ id }) => objects.list(id).map((object) => [id, object] as const)),
      registry: registry.export(),
      statuses: [...outputs.values].filter(([id]) => id.startsWith("status ")),
    }),
  };
};
