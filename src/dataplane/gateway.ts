/** One gateway's policy: who may allocate, how much, and which peers may be reached. */
import type { AdmissionChange, RelayTuning } from "./relay.ts";
import { Admission, EndpointIndex } from "../admission/admission.ts";
import type { AdmissionTransition } from "../admission/transition.ts";
import { createAuthPolicy, type AuthPolicy } from "./auth/policy.ts";
import type { RelayConfig } from "./config.ts";
import { parseEndpoint } from "../net/endpoint.ts";
import type { Traffic } from "./flows.ts";
import type { OwnHost } from "../admission/own-host.ts";
import type { Numbers } from "./numbers.ts";
import { PeerConnections } from "./peer-connections.ts";
import { PermissionIndex } from "./permission-index.ts";
import type { Allocation, AllocationScope, Permission } from "./allocation.ts";
import type { Limits } from "./limits.ts";
import { addTraffic } from "./usage.ts";
import { Users } from "./users.ts";

/** The routes of a listener. */
type Routed = AllocationScope & { routes: ReadonlySet<string> };

export interface GatewayOptions extends Pick<RelayTuning, "deniesPrivate"> {
  readonly ids?: Numbers;
}

export class Gateway {
  readonly name: string;
  readonly admission: Admission;
  readonly permissions = new PermissionIndex<Permission>();
  readonly connections: PeerConnections;
  /** Traffic of allocations that have ended, by cluster of the config. */
  readonly #closed = new Map<string, Traffic>();
  /** Current ones, by name. */
  readonly listeners = new Map<string, Routed>();
  readonly users: Users;
  config: RelayConfig;
  /** Version of admission, as counted by the steps that lead to it; undefined before the first. */
  revision: number | undefined;
  auth: AuthPolicy;

  constructor(config: RelayConfig, host: OwnHost, limits: Limits, options: GatewayOptions = {}) {
    this.connections = new PeerConnections(options.ids);
    this.users = new Users(limits);
    this.name = config.name;
    this.config = config;
    this.auth = createAuthPolicy(config.auth);
    this.admission = new Admission(host, options);
  }

  get userQuota(): number {
    return this.config.userQuota;
  }

  isBlocked(userId: string): boolean {
    const { blocked } = this.config.users ?? {};
    return blocked !== undefined && Object.hasOwn(blocked, userId);
  }

  /** Applies `config`, except its listeners and endpoints. */
  adopt(config: RelayConfig): void {
    this.config = config;
    this.auth = createAuthPolicy(config.auth);
    const present = this.#clusterNames();
    for (const name of this.#closed.keys()) if (!present.has(name)) this.#closed.delete(name);
  }

  #clusterNames(): ReadonlySet<string> {
    return new Set(this.config.clusters.map(({ name }) => name));
  }

  /** Adds the traffic of an allocation that has ended; a cluster that the config no longer has is not counted. */
  countClosed(cluster: string, traffic: Traffic): void {
    const closed = this.#closed.get(cluster);
    if (closed !== undefined) addTraffic(closed, traffic);
    else if (this.config.clusters.some(({ name }) => name === cluster)) this.#closed.set(cluster, { ...traffic });
  }

  /** Traffic by cluster, of allocations that have ended and of `open` ones of this gateway; only clusters that were used. */
  clusterTraffic(open: readonly Allocation[]): ReadonlyMap<string, Traffic> {
    const totals = new Map(Array.from(this.#closed, ([name, traffic]) => [name, { ...traffic }] as const));
    const present = this.#clusterNames();
    for (const { usage } of open)
      for (const { cluster: name, traffic } of usage.entries()) {
        const total = totals.get(name);
        if (total !== undefined) addTraffic(total, traffic);
        else if (present.has(name)) totals.set(name, { ...traffic });
      }
    return totals;
  }

  /**
   * The routes of a listener in the active config, which may be newer than the config that the listener is being started
   * for.
   */
  routesOf(listener: string): ReadonlySet<string> {
    return new Set(this.config.listeners.find(({ name }) => name === listener)?.routes);
  }

  /**
   * Applies `transitions` and the routes in `routes` (by listener). What is no longer admitted is dropped before this
   * returns.
   */
  admit(
    transitions: readonly AdmissionTransition[],
    routes: ReadonlyMap<string, ReadonlySet<string>>,
  ): readonly AdmissionChange[] {
    const lost = new EndpointIndex();
    for (const { change, cluster, endpoint: text } of transitions) {
      const endpoint = change === "revoke" ? parseEndpoint(text) : undefined;
      if (endpoint !== undefined) lost.add(cluster, endpoint);
    }
    let isNarrower = transitions.some(({ change }) => change === "revoke");
    let isRerouted = false;
    const before = new Map<AllocationScope, ReadonlySet<string>>();
    for (const [name, next] of routes) {
      const listener = this.listeners.get(name);
      if (listener === undefined) continue;
      before.set(listener, listener.routes);
      if ([...listener.routes].some((route) => !next.has(route))) isNarrower = isRerouted = true;
      if ([...next].some((route) => !listener.routes.has(route))) isRerouted = true;
      listener.routes = next;
    }
    this.admission.apply(transitions);
    if (isRerouted) this.admission.touch();
    const changes: Mutable[] = transitions.map((transition) =>
      transition.change === "revoke" ? { ...transition, permissions: 0, channels: 0 } : { ...transition },
    );
    if (isNarrower) this.#dropUnadmitted(lost, before, changes);
    this.#revalidateOffloaded();
    return changes;
  }

  /** Invalidates all verdicts on peers, after a change other than to endpoints and routes. */
  touch(): void {
    this.admission.touch();
    this.#revalidateOffloaded();
  }

  /** The kernel forwards without asking for a verdict, so its peers are revalidated now. */
  #revalidateOffloaded(): void {
    const seen = new Set<Allocation>();
    for (const permissions of this.permissions.peers())
      for (const { allocation } of permissions) {
        if (!seen.has(allocation)) allocation.revalidateOffloaded();
        seen.add(allocation);
      }
  }

  #dropUnadmitted(
    lost: EndpointIndex,
    before: ReadonlyMap<AllocationScope, ReadonlySet<string>>,
    changes: Mutable[],
  ): void {
    const revoked = new Map(
      changes
        .filter(({ change }) => change === "revoke")
        .map((change) => [`${change.cluster} ${change.endpoint}`, change]),
    );
    for (const permissions of this.permissions.peers())
      for (const permission of permissions) {
        const { allocation, peer } = permission;
        const gone = !allocation.check(peer).admitted;
        const unbound = allocation
          .channelsTo(peer)
          .filter(({ flow }) => gone || !allocation.check(peer, flow.port).admitted);
        if (!gone && unbound.length === 0) continue;
        for (const channel of unbound) allocation.unbind(channel);
        if (gone) {
          allocation.forbid(permission);
          this.admission.remember(peer.text);
        }
        const change = this.#blame(permission, lost, before, revoked, changes);
        if (change === undefined) continue;
        change.permissions = (change.permissions ?? 0) + (gone ? 1 : 0);
        change.channels = (change.channels ?? 0) + unbound.length;
      }
    this.#cutConnections(revoked, changes);
  }

  /** Ends the connections to TCP peers that are no longer admitted. */
  #cutConnections(revoked: Map<string, Mutable>, changes: Mutable[]): void {
    for (const { allocation, connection } of this.connections.values()) {
      const { peer, port } = connection;
      if (allocation.check(peer, port).admitted) continue;
      connection.close();
      this.admission.remember(peer.text);
      const change = changeOf(connection, revoked, changes);
      change.connections = (change.connections ?? 0) + 1;
    }
  }

  /**
   * The change that a drop is attributed to: the endpoint that had admitted the peer was revoked or is no longer routed.
   */
  #blame(
    { peer, allocation }: Permission,
    lost: EndpointIndex,
    before: ReadonlyMap<AllocationScope, ReadonlySet<string>>,
    revoked: Map<string, Mutable>,
    changes: Mutable[],
  ): Mutable | undefined {
    const { scope } = allocation;
    const routes = before.get(scope) ?? scope.routes;
    const entry = lost.containing(peer).find(({ cluster }) => routes.has(cluster));
    if (entry !== undefined) return revoked.get(`${entry.cluster} ${entry.endpoint.text}`);
    const verdict = this.admission.check(scope.name, routes, peer, undefined, allocation.protocol);
    if (!verdict.admitted) return undefined;
    return changeOf(verdict, revoked, changes);
  }
}

type Mutable = { -readonly [K in keyof AdmissionChange]: AdmissionChange[K] };

/** The change that removes `endpoint` of `cluster`: revoked, or no longer routed, which no transition reports yet. */
const changeOf = (
  { cluster, endpoint }: { readonly cluster: string; readonly endpoint: string },
  revoked: Map<string, Mutable>,
  changes: Mutable[],
): Mutable => {
  const key = `${cluster} ${endpoint}`;
  const present = revoked.get(key);
  if (present !== undefined) return present;
  const change: Mutable = { change: "revoke", cluster, endpoint };
  revoked.set(key, change);
  changes.push(change);
  return change;
};
