/**
 * The core: facts go in, transitions and outputs come out. No clock, no randomness, no I/O; the same facts give the same
 * derivations, byte for byte, today and on replay.
 *
 * `apply` takes one fact and advances the machines that it concerns. `fold` renders, once, everything that the facts since
 * the last fold have touched. The caller records both, in order.
 */
import type { FactLine } from "../journal/fact.ts";
import { nameOfObject, splitName, targetOf, type Name, type ObjectKey } from "../resources/keys.ts";
import { allKinds, type AnyObject, type KindId } from "../resources/kinds.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";
import { backendsOfRoute, createBackends, isBackend } from "../machines/backends.ts";
import type { Backend } from "../resources/entities.ts";
import { dependantsOf, type Dependants } from "../machines/dependencies.ts";
import { createObjects } from "../machines/objects.ts";
import { referencesOf } from "../machines/references.ts";
import { createRegistry, type Registry, type RegistrySnapshot, type Transition } from "../machines/registry.ts";
import type { RenderedGateway } from "../render/render.ts";
import { createAdmissions } from "./admissions.ts";
import { createCertificates, type Certificates } from "./certificates.ts";
import type { Derived } from "./derived.ts";
import { createFolding, type ClassConfigMap, type Fold, type Touched } from "./fold.ts";
import { createOutputs, type Outputs } from "./outputs.ts";
import { createRefusals, splitRefused, type Refusals } from "./refusals.ts";
import { createView } from "./view.ts";

export interface CoreSnapshot {
  readonly options: RenderOptions;
  readonly objects: readonly (readonly [KindId, AnyObject])[];
  readonly registry: RegistrySnapshot;
  /** Statuses with their transition times, by output, and the digests by which a change is detected. */
  readonly statuses: ReturnType<Outputs["export"]>;
  /** Objects that Kubernetes rejected, and why; absent if there are none. */
  readonly refusals?: ReturnType<Refusals["export"]>;
  /** Certificates that listeners serve although they are no longer in any Secret; absent if there are none. */
  readonly certificates?: ReturnType<Certificates["export"]>;
}

export interface Core {
  apply(fact: FactLine): readonly Derived[];
  /** Whether a fold would have anything to do. */
  readonly dirty: boolean;
  /**
   * Whether everything that was touched has been folded. A snapshot does not contain what is pending, so only then is it
   * complete.
   */
  readonly isFolded: boolean;
  fold(time: number): Fold;
  readonly view: ObjectsView;
  readonly registry: Registry;
  readonly options: RenderOptions;
  rendered(gateway: Name): RenderedGateway | undefined;
  /**
   * The certificates that configs may refer to, including those that are no longer in any object; the same set object until
   * it changes.
   */
  readonly certificateDigests: ReadonlySet<string>;
  configMap(name: Name): ClassConfigMap | undefined;
  status(object: ObjectKey): unknown;
  /** The deletion cost of a dataplane's pod; undefined if its load is unknown. */
  deletionCost(pod: Name): number | undefined;
  export(): CoreSnapshot;
}

/** A digest of a text, the same on every machine. */
export type Digest = (text: string) => string;

export interface CoreFor {
  /** Initial state, instead of an empty one. */
  readonly snapshot?: CoreSnapshot;
  /** Whether a relay receives what is folded, as steps of admission. */
  readonly relay?: boolean;
}

export const createCore = (options: RenderOptions, digest: Digest, { snapshot, relay = false }: CoreFor = {}): Core => {
  const objects = createObjects();
  const registry = createRegistry(snapshot?.registry);
  const backends = createBackends(objects, registry, options);
  const outputs = createOutputs(digest);
  const refusals = createRefusals(snapshot?.refusals);
  const certificates = createCertificates(snapshot?.certificates);
  const admissions = relay ? createAdmissions(backendsOfRoute(objects)) : undefined;
  const view = createView(objects, backends, refusals, certificates);
  const folding = createFolding(view, options, registry, { outputs, certificates, admissions });
  const touched: Touched = { gateways: new Map(), routes: new Map(), classes: new Map(), pods: new Map() };

  /** Backends whose endpoints an object decides, before and after the change. */
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
        else if (reference.startsWith("endpoints:")) touched.add(`service:${targetOf(reference)}`);
      }
    }
    return touched;
  };

  const isFolded = (): boolean =>
    touched.gateways.size + touched.routes.size + touched.classes.size + touched.pods.size === 0;

  const touch = (dependants: Dependants, seq: number): void => {
    for (const gateway of dependants.gateways) touched.gateways.set(gateway, seq);
    for (const route of dependants.routes) touched.routes.set(route, seq);
    for (const className of dependants.classes) touched.classes.set(className, seq);
  };

  const put = (kind: KindId, name: Name, object: AnyObject | undefined, seq: number): readonly Transition[] => {
    const before = objects.put(kind, name, object);
    const transitions: Transition[] = [];

    if (kind === "Gateway" && object !== undefined && registry.state("gateway", name) === "terminating")
      transitions.push(...registry.send("gateway", name, "recreated"));

    if (before !== undefined && (kind === "UDPRoute" || kind === "GatewayUDPRoute"))
      admissions?.left(name, referencesOf(kind, before).filter(isBackend));
    for (const backend of backendsTouched(kind, name, [before, object]))
      transitions.push(...backends.reconcile(backend));

    touch(dependantsOf(objects, kind, name, before), seq);
    if (kind === "PodLoad") touched.pods.set(name, seq);
    // The Gateway may no longer refer to the Secret whose certificate it serves.
    if (kind === "ReferenceGrant")
      for (const gateway of certificates.gatewaysWithSecretsIn(splitName(name).namespace))
        touched.gateways.set(gateway, seq);
    // Classes may compete for one ConfigMap, so that another one takes over when one ends.
    if (options.mode === "legacy" && (kind === "GatewayClass" || kind === "GatewayConfig"))
      for (const each of objects.names("GatewayClass"))
        touch(dependantsOf(objects, "GatewayClass", each, undefined), seq);
    return transitions;
  };

  /** Gateways for which an object, `KIND NAME`, is generated. */
  const concern = (object: string, seq: number): void => {
    const { kind, name } = splitRefused(object);
    if (kind !== "ConfigMap") {
      touched.gateways.set(name, seq);
      return;
    }
    const className = folding.configMap(name)?.className;
    if (className === undefined) return;
    for (const gateway of view.gatewaysOfClass(className)) touched.gateways.set(nameOfObject("Gateway", gateway), seq);
  };

  const finalize = (seq: number): readonly Transition[] => {
    for (const gateway of registry.entities("gateway").keys()) touched.gateways.set(gateway as Name, seq);
    for (const className of objects.names("GatewayClass")) touched.classes.set(className, seq);
    return registry.send("operator", "operator", "drained");
  };

  /** No fold before the lists are complete: what is not listed yet would appear to be missing. */
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
          ...(options.mode === "standalone" || options.mode === "dataplane"
            ? registry.send("operator", "operator", "elected")
            : []),
        ];
      case "lease.acquired":
        return registry.send("operator", "operator", "elected");
      case "lease.lost":
        return registry.send("operator", "operator", "deposed");
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
        // A listener that was dropped meanwhile has no machine, and needs none.
        return registry.state("listener", fact.data.listener) === undefined
          ? []
          : registry.send("listener", fact.data.listener, event, "reason" in fact.data ? fact.data.reason : undefined);
      }
      case "journal.recovered":
      case "kind.listed":
      case "kind.absent":
      case "object.rejected":
      case "object.corrected":
      case "watch.lost":
      case "watch.restored":
      case "config.withdrawn":
      case "effect.failed":
      case "object.written": {
        const object = refusals.take(fact);
        if (object !== undefined) concern(object, fact.seq);
        return [];
      }
      case "gateway.published":
      case "endpoint.revoked":
      case "worker.lost":
      case "worker.restored":
      case "offload.changed":
      case "allocation.opened":
      case "allocation.moved":
      case "allocation.used":
      case "allocation.closed":
      case "client.redirected":
      case "peer.refused":
        return [];
      default:
        return fact satisfies never;
    }
  };

  if (snapshot !== undefined) {
    // Restoring the objects and rendering them only fills caches: the states of the machines are in the snapshot.
    for (const [kind, object] of snapshot.objects) put(kind, nameOfObject(kind, object), object, 0);
    outputs.restore(snapshot.statuses);
    folding.fold(touched, 0);
    registry.restore(snapshot.registry);
  }

  return {
    options,
    view,
    registry,
    rendered: folding.rendered,
    get certificateDigests() {
      return certificates.digests;
    },
    configMap: folding.configMap,
    status: (object) => outputs.get(`status ${object}`),
    deletionCost: folding.deletionCost,
    apply(fact) {
      const derived = move(fact).map((derivation) => ({ cause: fact.seq, derivation }));
      admissions?.note(derived);
      return derived;
    },
    get dirty() {
      return synced() && !isFolded();
    },
    get isFolded() {
      return isFolded();
    },
    fold: (time) => folding.fold(touched, time),
    export: () => ({
      options,
      objects: allKinds.flatMap(({ id }) => objects.list(id).map((object) => [id, object] as const)),
      registry: registry.export(),
      statuses: outputs.export("status"),
      ...(refusals.export().length === 0 ? {} : { refusals: refusals.export() }),
      ...(certificates.export().length === 0 ? {} : { certificates: certificates.export() }),
    }),
  };
};
