/**
 * What the relay is to admit, as transitions: those of the endpoint machines, for each gateway whose clusters list the
 * endpoint. The relay takes them one after the other instead of comparing configs.
 */
import {
  clusterTransitions,
  type AdmissionStep,
  type AdmissionTransition,
  type AdmittedCluster,
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
  /** The step from what was rendered of `gateway` before to what is now. @param cause of what no endpoint machine explains. */
  step(
    gateway: Name,
    before: RenderedGateway | undefined,
    next: RenderedGateway | undefined,
    cause: number,
  ): AdmissionStep;
  /** The fold is over: what was noted is used up. */
  folded(): void;
}

/** Names are resolved by the relay, which then knows their addresses better than anybody. */
const isListed = ({ type }: ClusterConfig): boolean => type === "STATIC";

const clustersOf = (gateway: RenderedGateway | undefined): ReadonlyMap<string, AdmittedCluster> =>
  new Map(
    (gateway?.config?.clusters ?? []).filter(isListed).map(({ name, protocol, endpoints = [] }) => {
      const draining = gateway?.draining[name];
      return [name, { name, protocol, endpoints, draining: draining && new Set(draining) }];
    }),
  );

const admittedIn = ({ protocol, endpoints, draining }: AdmittedCluster) =>
  new Map(endpoints.map((endpoint) => [endpoint, { protocol, draining: draining?.has(endpoint) ?? false }]));

const NOTHING = new Map<never, never>();

/** An endpoint without its ports: what endpoint machines are named by. */
const addressOf = (endpoint: string): string => endpoint.replace(/:<\d+-\d+>$/, "");

const leadsTo = { admit: "active", drain: "terminating", revoke: "gone" } as const;

/** @param backendsOf a cluster, as things are now. */
export const createAdmissions = (backendsOf: (cluster: string) => readonly Backend[]): Admissions => {
  const revisions = new Map<Name, number>();
  /** Of each cluster as of its last step: a route that is gone, or was changed, says no more which they were. */
  const backendsBefore = new Map<string, readonly Backend[]>();
  const backendsNow = new Map<string, readonly Backend[]>();
  const moved = new Map<string, Moved>();

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

  return {
    note(derived) {
      for (const { cause, derivation } of derived)
        if (derivation.type === "transition" && derivation.data.machine === "endpoint") {
          const { entity, from, to } = derivation.data;
          moved.set(entity, { entity, from, to, cause });
        }
    },
    step(gateway, before, next, cause) {
      const from = revisions.get(gateway) ?? 0;
      const to = from + 1;
      revisions.set(gateway, to);
      const [was, is] = [clustersOf(before), clustersOf(next)];
      const transitions = [...new Set([...was.keys(), ...is.keys()])].flatMap((name) => {
        const [present, wanted] = [was.get(name), is.get(name)];
        const backends = backendsOf(name);
        const candidates = [...new Set([...backends, ...(backendsBefore.get(name) ?? [])])];
        backendsNow.set(name, backends);
        return clusterTransitions(name, present === undefined ? NOTHING : admittedIn(present), wanted).map((one) =>
          explain(one, candidates, cause),
        );
      });
      return { from, to, transitions };
    },
    folded() {
      moved.clear();
      for (const [cluster, backends] of backendsNow)
        if (backends.length === 0) backendsBefore.delete(cluster);
        else backendsBefore.set(cluster, backends);
      backendsNow.clear();
    },
  };
};
