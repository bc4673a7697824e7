/** The world at one line of a log: objects, machines, and what rendering derives from them. */
import type { CoreSnapshot } from "../core/core.ts";
import { createView, routeOf } from "../core/view.ts";
import type { MachineId } from "../journal/fact.ts";
import type { Objects } from "../machines/objects.ts";
import { referencesOf } from "../machines/references.ts";
import {
  renderFinalizingGateway,
  renderFinalizingGatewayClass,
  renderGateway,
  renderGatewayClass,
  renderRoute,
  type RenderedGateway,
} from "../render/render.ts";
import { keyOf, splitKey, type Name, type ObjectKey } from "../resources/keys.ts";
import { allKinds, type AnyObject, type KindId } from "../resources/kinds.ts";
import type { BackendEndpoint, ObjectsView, RenderOptions, RouteKind } from "../resources/view.ts";
import {
  instanceOf,
  type AllocationLine,
  type Index,
  type OffloadLine,
  type RedirectionLine,
  type RefusalLine,
  type RenderedLine,
  type TransitionLine,
} from "./log-index.ts";
import { lastAtMost } from "./track.ts";
import { compareText } from "../order.ts";
import { splitOutput } from "../core/output-id.ts";
import { refusedObject } from "../core/refusals.ts";
import { splitEndpoint } from "../resources/entities.ts";

export interface Moment {
  readonly position: number;
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly options: RenderOptions;
  readonly view: ObjectsView;
  /** Sequence number of the line that last reported an object, or its removal. */
  seenAt(key: ObjectKey): number | undefined;
  names(kind: KindId): readonly Name[];
  /** The state of an existing instance. */
  state(machine: MachineId, entity: string): string | undefined;
  /** Existing instances, in order of creation, each with its state. */
  entities(machine: MachineId): readonly (readonly [string, string])[];
  /**
   * Endpoints of a Service (`NAMESPACE/NAME`), StaticService (`static:NAMESPACE/NAME`) or cluster, without removed ones.
   */
  endpointsOf(backend: string): readonly (readonly [entity: string, state: string])[];
  /** The last transition of an instance, even of a removed one. */
  move(machine: MachineId, entity: string): TransitionLine | undefined;
  /**
   * The line that last rendered an output, for example `config NAMESPACE/NAME`; undefined if it was withdrawn, or rendered
   * before the log begins.
   */
  output(id: string): RenderedLine | undefined;
  /** Derived by the rules from the objects of this moment. */
  rendered(gateway: Name): RenderedGateway | undefined;
  /** Its conditions have no times. */
  status(object: ObjectKey): unknown;
  /** Open allocations, oldest first: the lines that opened them, with the client's address at this moment. */
  allocations(): readonly AllocationLine[];
  /** Allocations made, or moved to another address of their client, in this run; oldest first. */
  used(): readonly AllocationLine[];
  /** The relay's last report of kernel offload in this run; undefined if no config asked for it. */
  offload(): OffloadLine | undefined;
  /** Peers that the relay denied in this run, oldest first. */
  refusals(): readonly RefusalLine[];
  /** Clients that the relay sent to other servers in this run, oldest first. */
  redirections(): readonly RedirectionLine[];
  /** A start for replay, if everything was folded by then. */
  snapshot(): CoreSnapshot;
}

const isGone = (state: string): boolean => state === "gone" || state === "stopped";

export const createMoment = (index: Index, position: number): Moment | undefined => {
  const from = index.beginnings[lastAtMost(index.beginnings, position)];
  const line = index.lines[position];
  if (from === undefined || line === undefined) return undefined;
  const options = index.options.of("options")?.at(position, from);
  if (options === undefined) return undefined;

  const objectAt = (key: ObjectKey): AnyObject | undefined => index.objects.of(key)?.at(position, from);

  let namesByKind: Map<KindId, Name[]> | undefined;
  const names = (kind: KindId): readonly Name[] => {
    if (namesByKind === undefined) {
      namesByKind = new Map();
      for (const [key, track] of index.objects.all) {
        if (track.at(position, from) === undefined) continue;
        const { kind: of, name } = splitKey(key);
        const list = namesByKind.get(of);
        if (list === undefined) namesByKind.set(of, [name]);
        else list.push(name);
      }
      for (const list of namesByKind.values()) list.sort(compareText);
    }
    return namesByKind.get(kind) ?? [];
  };

  const get: ObjectsView["get"] = (kind, name) => objectAt(keyOf(kind, name)) as ReturnType<typeof get<typeof kind>>;

  const objects: Pick<Objects, "get" | "list" | "names" | "referrers"> = {
    get,
    list: (kind) => names(kind).flatMap((name) => get(kind, name) ?? []),
    names,
    referrers: (reference) =>
      [...(index.referrers.get(reference) ?? [])]
        .filter((key) => {
          const object = objectAt(key);
          return object !== undefined && referencesOf(splitKey(key).kind, object).includes(reference);
        })
        .toSorted(compareText),
  };

  const standing = (machine: MachineId, entity: string) =>
    index.standings.of(instanceOf(machine, entity))?.at(position, from);

  const state = (machine: MachineId, entity: string): string | undefined => {
    const now = standing(machine, entity)?.state;
    return now === undefined || isGone(now) ? undefined : now;
  };

  const withStates = (machine: MachineId, entities: readonly string[] = []): readonly (readonly [string, string])[] =>
    entities.flatMap((entity) => {
      const now = state(machine, entity);
      return now === undefined ? [] : [[entity, now] as const];
    });

  const endpointsOf = (backend: string) => withStates("endpoint", index.endpoints.get(backend));

  const endpointsOfService: ObjectsView["endpointsOfService"] = (service) => {
    const endpoints = endpointsOf(service)
      .map(([entity, now]): BackendEndpoint => ({
        address: splitEndpoint(entity).address,
        state: now === "terminating" ? "terminating" : "active",
      }))
      .toSorted((a, b) => compareText(a.address, b.address));
    const found =
      options.endpointSource === "Endpoints" ? get("Endpoints", service) !== undefined : endpoints.length > 0;
    return { found, endpoints };
  };

  const keptOf = (gateway: Name) => new Map(Object.entries(index.certificates.of(gateway)?.at(position, from) ?? {}));

  const view = createView(
    objects,
    { endpointsOfService },
    { of: (kind, name) => index.refused.of(refusedObject(kind, name))?.at(position, from) },
    { of: (gateway, listener) => keptOf(gateway).get(listener) },
  );

  const operator = state("operator", "operator");
  const isFinalizing = operator === undefined || operator === "finalizing";

  /** No conclusion from incomplete lists. */
  const isListing = operator === "starting" || operator === "syncing";

  const rendered = (gateway: Name): RenderedGateway | undefined =>
    isListing ? undefined : (isFinalizing ? renderFinalizingGateway : renderGateway)(view, options, gateway);

  const status = (key: ObjectKey): unknown => {
    const { kind, name } = splitKey(key);
    if (kind === "Gateway") return rendered(name)?.status;
    if (kind === "GatewayClass")
      return (isFinalizing ? renderFinalizingGatewayClass : renderGatewayClass)(view, options, name)?.status;
    if (kind !== "UDPRoute" && kind !== "GatewayUDPRoute") return undefined;
    const route = routeOf(kind satisfies RouteKind, name, view);
    return route && renderRoute(view, options, route).status;
  };

  /** Of `all`, which are at `positions`, those of this run up to this moment. */
  const soFar = <T>(all: readonly T[], positions: readonly number[]): readonly T[] =>
    all.slice(lastAtMost(positions, from - 1) + 1, lastAtMost(positions, position) + 1);

  return {
    position,
    seq: line.seq,
    time: line.time,
    options,
    view,
    names,
    state,
    endpointsOf,
    rendered,
    output: (id) => index.outputs.of(id)?.at(position, from),
    status,
    seenAt: (key) => {
      const at = index.objects.of(key)?.since(position, from);
      return at === undefined ? undefined : index.lines[at]?.seq;
    },
    entities: (machine) => withStates(machine, index.instances.get(machine)),
    move: (machine, entity) => standing(machine, entity)?.move,
    allocations() {
      const open = new Map<string, AllocationLine>();
      for (const one of soFar(index.allocations, index.allocationsAt)) {
        const key = `${one.data.gateway} ${one.data.id}`;
        const present = open.get(key);
        if (one.type === "allocation.opened") open.set(key, one);
        else if (one.type === "allocation.closed") open.delete(key);
        else if (present !== undefined)
          open.set(key, { ...present, data: { ...present.data, client: one.data.client } } as AllocationLine);
      }
      return [...open.values()];
    },
    used: () => soFar(index.allocations, index.allocationsAt).filter((one) => one.type !== "allocation.closed"),
    offload: () => index.offload.of("offload")?.at(position, from),
    refusals: () => soFar(index.refusals, index.refusalsAt),
    redirections: () => soFar(index.redirections, index.redirectionsAt),
    snapshot() {
      const refusals = [...index.refused.all].flatMap(([object, track]) => {
        const reason = track.at(position, from);
        return reason === undefined ? [] : [[object, reason] as const];
      });
      const certificates = [...index.certificates.all]
        .flatMap(([gateway, track]) => {
          const kept = track.at(position, from);
          return kept === undefined ? [] : [[gateway, kept] as const];
        })
        .toSorted(([a], [b]) => compareText(a, b));
      const statuses = [...index.outputs.all].flatMap(([id, track]) => {
        const { what, name } = splitOutput(id);
        const parts = what === "status" ? track.at(position, from)?.data.parts : undefined;
        return parts ? [[id, status(name as ObjectKey) ?? null, parts] as const] : [];
      });
      const entities = (machine: MachineId) => withStates(machine, index.instances.get(machine));
      return {
        options,
        objects: allKinds.flatMap(({ id }) => objects.list(id).map((object) => [id, object] as const)),
        registry: {
          operator: entities("operator"),
          gateway: entities("gateway"),
          listener: entities("listener"),
          route: entities("route"),
          endpoint: entities("endpoint"),
          ...(entities("user").length === 0 ? {} : { user: entities("user") }),
        },
        statuses,
        ...(refusals.length === 0 ? {} : { refusals }),
        ...(certificates.length === 0 ? {} : { certificates }),
      };
    },
  };
};
