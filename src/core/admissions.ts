/**
 * What the relay must admit, as transitions: those of the endpoint machines, for each gateway whose clusters list the
 * endpoint. The relay applies them in order instead of comparing configs.
 */
import {
  clusterTransitions,
  type AdmissionStep,
  type AdmissionTransition,
  type EndpointMove,
} from "../admission/transition.ts";
import { endpointEntity, type Backend } from "../resources/entities.ts";
import type { RenderedGateway } from "../render/render.ts";
import type { ClusterConfig } from "../resources/dataplane-config.ts";
import type { Name } from "../resources/keys.ts";
import type { Derived } from "./derived.ts";

/** A transition of an endpoint machine, and the fact that it follows from. */
interface Moved extends EndpointMove {
  readonly cause: number;
}

export interface Admissions {
  /** Keeps the transitions of endpoint machines among `derived` until the next fold. */
  note(derived: readonly Derived[]): void;
  /** A route was changed or removed: its cluster led to `backends` until now. */
  left(cluster: string, backends: readonly Backend[]): void;
  /**
   * The step from the previous rendering of `gateway` to the current one. @param cause of changes that no endpoint machine
   * explains.
   */
  step(
    gateway: Name,
    before: RenderedGateway | undefined,
    next: RenderedGateway | undefined,
    cause: number,
  ): AdmissionStep;
  /** The fold has ended: clears what was collected for it. */
  folded(): void;
}

/** A cluster as a gateway lists it, with its terminating endpoints. */
interface Listed {
  readonly cluster: ClusterConfig;
  readonly draining: readonly string[];
}

const NONE: readonly string[] = [];

/** The relay resolves names, so only it knows their addresses. */
const isListed = ({ type }: ClusterConfig): boolean => type === "STATIC";

const listedIn = (gateway: RenderedGateway | undefined): ReadonlyMap<string, Listed> =>
  new Map(
    (gateway?.config?.clusters ?? [])
      .filter(isListed)
      .map((cluster) => [cluster.name, { cluster, draining: gateway?.draining[cluster.name] ?? NONE }]),
  );

const sameTexts = (a: readonly string[] = NONE, b: readonly string[] = NONE): boolean =>
  a === b || (a.length === b.length && a.every((text, index) => text === b[index]));

const isSame = (a: Listed | undefined, b: Listed | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.cluster.protocol === b.cluster.protocol &&
    sameTexts(a.cluster.endpoints, b.cluster.endpoints) &&
    sameTexts(a.draining, b.draining));

/** In the form that `clusterTransitions` takes: what is admitted, and what will be. */
const transitionsOf = (name: string, before: Listed | undefined, next: Listed | undefined) => {
  const drained = new Set(before?.draining);
  const present = new Map(
    before?.cluster.endpoints?.map((endpoint) => [
      endpoint,
      { protocol: before.cluster.protocol, draining: drained.has(endpoint) },
    ]),
  );
  return clusterTransitions(
    name,
    present,
    next && {
      protocol: next.cluster.protocol,
      endpoints: next.cluster.endpoints ?? NONE,
      draining: new Set(next.draining),
    },
  );
};

/** An endpoint without its ports: the name of its endpoint machine. */
const addressOf = (endpoint: string): string => endpoint.replace(/:<\d+-\d+>$/, "");

const leadsTo = { admit: "active", drain: "terminating", revoke: "gone" } as const;

/** @param backendsOf a cluster, in its current state. */
export const createAdmissions = (backendsOf: (cluster: string) => readonly Backend[]): Admissions => {
  const revisions = new Map<Name, number>();
  /** Since the last fold. */
  const moved = new Map<string, Moved>();
  const backendsBefore = new Map<string, readonly Backend[]>();

  const explain = (
    transition: AdmissionTransition,
    backends: readonly Backend[],
    cause: number,
  ): AdmissionTransition => {
    const { endpoint, change } = transition;
    // A received config lists endpoints whole; objects list addresses, and routes their ports.
    const found = backends
      .flatMap((backend) => [endpointEntity(backend, endpoint), endpointEntity(backend, addressOf(endpoint))])
      .map((entity) => moved.get(entity))
      .find((move) => move?.to === leadsTo[change]);
    if (found === undefined) return { ...transition, cause };
    const { entity, from, to } = found;
    return { ...transition, cause: found.cause, because: { entity, from, to } };
  };

  const changesOf = (
    name: string,
    before: Listed | undefined,
    next: Listed | undefined,
    cause: number,
  ): readonly AdmissionTransition[] => {
    if (isSame(before, next)) return [];
    const backends = moved.size === 0 ? [] : [...backendsOf(name), ...(backendsBefore.get(name) ?? [])];
    return transitionsOf(name, before, next).map((transition) => explain(transition, backends, cause));
  };

  return {
    note(derived) {
      for (const { cause, derivation } of derived)
        if (derivation.type === "transition" && derivation.data.machine === "endpoint") {
          const { entity, from, to } = derivation.data;
          moved.set(entity, { entity, from, to, cause });
        }
    },
    left(cluster, backends) {
      // Of several changes between two folds, the first one has the state that was folded.
      if (!backendsBefore.has(cluster)) backendsBefore.set(cluster, backends);
    },
    step(gateway, before, next, cause) {
      const from = revisions.get(gateway) ?? 0;
      const to = from + 1;
      revisions.set(gateway, to);
      const [was, is] = [listedIn(before), listedIn(next)];
      const names = new Set([...was.keys(), ...is.keys()]);
      const transitions = [...names].flatMap((name) => changesOf(name, was.get(name), is.get(name), cause));
      return { from, to, transitions };
    },
    folded() {
      moved.clear();
      backendsBefore.clear();
    },
  };
};
