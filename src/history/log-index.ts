/** An index of a log by the subjects of its lines. */
import { isDerivation, type DerivationLine, type FactLine, type JournalLine, type MachineId } from "../journal/fact.ts";
import { keyOf, nameOfObject, splitKey, type Name, type ObjectKey } from "../resources/keys.ts";
import type { AnyObject } from "../resources/kinds.ts";
import type { RenderOptions } from "../resources/view.ts";
import type { CoreSnapshot } from "../core/core.ts";
import type { KeptCertificates } from "../core/certificates.ts";
import { createRefusals, splitRefused, type Refusals } from "../core/refusals.ts";
import { referencesOf, type Reference } from "../machines/references.ts";
import { createTracks, type Tracks } from "./track.ts";
import { splitOutput } from "../core/output-id.ts";
import { splitEndpoint } from "../resources/entities.ts";

export type TransitionLine = Extract<DerivationLine, { readonly type: "transition" }>;
export type RenderedLine = Extract<DerivationLine, { readonly type: "rendered" }>;
export type AllocationLine = Extract<
  FactLine,
  { readonly type: "allocation.opened" | "allocation.moved" | "allocation.closed" }
>;
export type RefusalLine = Extract<FactLine, { readonly type: "peer.refused" }>;

export type RedirectionLine = Extract<FactLine, { readonly type: "client.redirected" }>;

export type OffloadLine = Extract<FactLine, { readonly type: "offload.changed" }>;

/** An instance of a machine: `MACHINE ENTITY`. */
export type Instance = `${MachineId} ${string}`;

export const instanceOf = (machine: MachineId, entity: string): Instance => `${machine} ${entity}`;

/** The state of an instance, and the line that reports it; no line if it comes from a snapshot. */
export interface Standing {
  readonly state: string;
  readonly move: TransitionLine | undefined;
}

/** The part of the index that moments read. Positions count the lines, from 0. */
export interface Index {
  readonly lines: readonly JournalLine[];
  readonly objects: Tracks<ObjectKey, AnyObject>;
  readonly standings: Tracks<Instance, Standing>;
  /** All instances that ever existed, by machine, in order of creation. */
  readonly instances: ReadonlyMap<MachineId, readonly string[]>;
  /** All endpoints that ever existed, by the Service, StaticService or cluster before the `#` of their name. */
  readonly endpoints: ReadonlyMap<string, readonly string[]>;
  /** All objects that ever had a reference. */
  readonly referrers: ReadonlyMap<Reference, ReadonlySet<ObjectKey>>;
  /** Why Kubernetes rejects an object, `KIND NAME`. */
  readonly refused: Tracks<string, string>;
  /** Allocations opened, moved and closed, and peers denied; each with the positions of its lines. */
  readonly allocations: readonly AllocationLine[];
  readonly allocationsAt: readonly number[];
  readonly refusals: readonly RefusalLine[];
  readonly refusalsAt: readonly number[];
  /** Clients sent to other servers, with the positions of their lines. */
  readonly redirections: readonly RedirectionLine[];
  readonly redirectionsAt: readonly number[];
  /** What forwards channels in the kernel. */
  readonly offload: Tracks<"offload", OffloadLine>;
  /** Where the state is reset: starts of the program, and snapshots after lost lines. */
  readonly beginnings: readonly number[];
  readonly options: Tracks<"options", RenderOptions>;
  /** Certificates that listeners serve although no Secret contains them, by Gateway. */
  readonly certificates: Tracks<Name, KeptCertificates>;
  /** Rendered outputs: digests of their parts. */
  readonly outputs: Tracks<string, RenderedLine>;
}

const push = <K, V>(map: Map<K, V[]>, key: K, value: V): void => {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
};

/** A line without the object that makes it long. */
const brief = (line: Extract<FactLine, { readonly type: "object.seen" }>): JournalLine => {
  const { kind, object } = line.data;
  const { name, namespace } = object.metadata;
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  return {
    ...line,
    data: { kind, object: { apiVersion: object.apiVersion, kind: object.kind, metadata } as typeof object },
  };
};

export interface IndexWriter {
  readonly index: Index;
  append(line: JournalLine): void;
}

/** @param keepsVersions keeps replaced versions of objects; otherwise only their names. */
export const createIndex = (keepsVersions: boolean): IndexWriter => {
  const lines: JournalLine[] = [];
  const objects = createTracks<ObjectKey, AnyObject>();
  const standings = createTracks<Instance, Standing>();
  const instances = new Map<MachineId, string[]>();
  const endpoints = new Map<string, string[]>();
  const referrers = new Map<Reference, Set<ObjectKey>>();
  const refused = createTracks<string, string>();
  const allocations: AllocationLine[] = [];
  const allocationsAt: number[] = [];
  const refusals: RefusalLine[] = [];
  const refusalsAt: number[] = [];
  const redirections: RedirectionLine[] = [];
  const redirectionsAt: number[] = [];
  const offload = createTracks<"offload", OffloadLine>();
  const beginnings: number[] = [];
  const options = createTracks<"options", RenderOptions>();
  const certificates = createTracks<Name, KeptCertificates>();
  const outputs = createTracks<string, RenderedLine>();
  let refusing: Refusals = createRefusals();

  const begin = (position: number, how: RenderOptions, snapshot?: CoreSnapshot): void => {
    beginnings.push(position);
    options.put("options", position, how);
    refusing = createRefusals(snapshot?.refusals);
  };

  const putObject = (key: ObjectKey, position: number, object: AnyObject | undefined): void => {
    if (!keepsVersions) {
      const before = objects.of(key)?.changes.at(-1);
      const line = before === undefined ? undefined : lines[before];
      if (before !== undefined && line?.type === "object.seen") lines[before] = brief(line);
    }
    objects.put(key, position, object);
    if (object === undefined) return;
    for (const reference of referencesOf(splitKey(key).kind, object)) {
      const set = referrers.get(reference);
      if (set === undefined) referrers.set(reference, new Set([key]));
      else set.add(key);
    }
  };

  const stand = (position: number, machine: MachineId, entity: string, standing: Standing): void => {
    const instance = instanceOf(machine, entity);
    if (standings.of(instance) === undefined) {
      push(instances, machine, entity);
      if (machine === "endpoint") push(endpoints, splitEndpoint(entity).backend, entity);
    }
    standings.put(instance, position, standing);
  };

  const restore = (position: number, snapshot: CoreSnapshot): void => {
    begin(position, snapshot.options, snapshot);
    for (const [kind, object] of snapshot.objects) putObject(keyOf(kind, nameOfObject(kind, object)), position, object);
    for (const [machine, states] of Object.entries(snapshot.registry))
      for (const [entity, state] of states) stand(position, machine as MachineId, entity, { state, move: undefined });
    for (const [object, reason] of snapshot.refusals ?? []) refused.put(object, position, reason);
    for (const [gateway, kept] of snapshot.certificates ?? []) certificates.put(gateway, position, kept);
  };

  const render = (line: RenderedLine, position: number): void => {
    const { output, parts, value } = line.data;
    outputs.put(output, position, parts === null ? undefined : line);
    const { what, name } = splitOutput(output);
    if (what === "certificates") certificates.put(name as Name, position, value as KeptCertificates | undefined);
  };

  const take = (line: FactLine, position: number): void => {
    switch (line.type) {
      case "operator.started":
        begin(position, line.data.options);
        break;
      case "object.seen":
        putObject(keyOf(line.data.kind, nameOfObject(line.data.kind, line.data.object)), position, line.data.object);
        break;
      case "object.gone":
        putObject(keyOf(line.data.kind, line.data.name), position, undefined);
        break;
      case "allocation.opened":
      case "allocation.moved":
      case "allocation.closed":
        allocations.push(line);
        allocationsAt.push(position);
        break;
      case "peer.refused":
        refusals.push(line);
        refusalsAt.push(position);
        break;
      case "client.redirected":
        redirections.push(line);
        redirectionsAt.push(position);
        break;
      case "offload.changed":
        offload.put("offload", position, line);
        break;
      default: {
        const object = refusing.take(line);
        if (object === undefined) return;
        const { kind, name } = splitRefused(object);
        refused.put(object, position, refusing.of(kind, name));
      }
    }
  };

  return {
    index: {
      lines,
      objects,
      standings,
      instances,
      endpoints,
      referrers,
      refused,
      allocations,
      allocationsAt,
      refusals,
      refusalsAt,
      redirections,
      redirectionsAt,
      offload,
      beginnings,
      options,
      certificates,
      outputs,
    },
    append(line) {
      const position = lines.length;
      const before = lines[position - 1];
      lines.push(line);
      if (!isDerivation(line)) take(line, position);
      else if (line.type === "transition")
        stand(position, line.data.machine, line.data.entity, { state: line.data.to, move: line });
      else if (line.type === "rendered") render(line, position);
      else if (line.type === "snapshot" && (beginnings.length === 0 || line.seq !== (before?.seq ?? 0) + 1))
        restore(position, line.data as CoreSnapshot);
    },
  };
};
