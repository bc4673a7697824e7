/** The relay: gateways by name, each with its policy and its listeners. */
import { messageOf } from "../errors.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { formatAddress } from "../net/address.ts";
import { clusterTransitions, type AdmissionTransition } from "../admission/transition.ts";
import {
  listenerSteps,
  parseConfig,
  type Cluster,
  type ListenerStep,
  type RelayConfig,
  type ValidConfig,
} from "./config.ts";
import type { Socket } from "node:net";
import type { HandedStream } from "./listeners/listener.ts";
import { RelayContext, type EmbeddedOptions } from "./relay-context.ts";
import { Gateway } from "./gateway.ts";
import { OffloadEngine } from "./offload/engine.ts";
import type { OffloadHandle } from "./offload/offload.ts";
import type { OffloadWish } from "./offload/wish.ts";
import type { AdmissionChange, Apply, ApplyReport, ListenerChange, Relay, RelayState, RelaySummary } from "./relay.ts";
import { datagramPorts } from "../admission/own-host.ts";
import { newKicks, type Kick, type UserRules } from "../resources/users.ts";
import { Resolver } from "./resolver.ts";
import { ActiveListener } from "./active-listener.ts";
import { allocationState, summaryOf } from "./relay-state.ts";

interface Tenant {
  readonly gateway: Gateway;
  /** By name. */
  readonly listeners: Map<string, ActiveListener>;
  readonly resolver: Resolver;
}

/** A relay on the thread that makes it. */
export class EmbeddedRelay implements Relay {
  readonly #context: RelayContext;
  /** Unused with workers: the pool has one for all of them. */
  readonly #offload: OffloadEngine;
  readonly #tenants = new Map<string, Tenant>();
  /** Listeners open and close one apply at a time: a port may change its listener. */
  #listenerWork: Promise<unknown> = Promise.resolve();

  constructor(options: EmbeddedOptions) {
    this.#context = new RelayContext(options);
    this.#offload = new OffloadEngine(options.log, (now) =>
      this.#context.events.next({ event: "offload.changed", ...now }),
    );
  }

  get events() {
    return this.#context.events.asObservable();
  }

  // oxlint-disable-next-line require-await -- what throws must reject
  async apply(document: DataplaneConfig, how: Apply = {}): Promise<ApplyReport> {
    const config = parseConfig(document, this.#tenants.get(document?.admin?.name)?.gateway.admission);
    this.#wish(config.name, config.offload);
    return this.put(config, how);
  }

  /** Switches to another offload program; undefined turns offload off. */
  useOffload(handle: OffloadHandle | undefined): void {
    this.#context.useOffload(handle);
  }

  /** As `apply`, of a config that was parsed. */
  put(config: ValidConfig, how: Apply = {}): Promise<ApplyReport> {
    const tenant = this.#tenant(config);
    const { gateway, resolver } = tenant;
    // A new gateway has this config already: kicks in it are of earlier times.
    const before = gateway.config;
    gateway.adopt(config);
    this.#endBlocked(gateway, before.users, newKicks(before.users, config.users));
    if (this.#context.host.listen(config.name, datagramPorts(config.listeners))) this.#touchAll();
    resolver.watch(new Set(config.clusters.filter(isDns).flatMap(({ endpoints }) => endpoints)));
    const admission = this.#admit(gateway, transitionsOf(tenant, before, how));
    gateway.revision = how.admission?.to;
    return this.#inTurn(async () => ({ admission, listeners: await this.#listen(tenant, config) }));
  }

  /** Takes a stream that another thread's listener accepted; `socket` leads to its client. */
  takeStream({ gateway, listener, client, server }: HandedStream, socket: Socket): void {
    const active = this.#tenants.get(gateway)?.listeners.get(listener);
    if (active === undefined) socket.destroy();
    else active.takeStream(socket, { source: client, destination: server });
  }

  async remove(name: string): Promise<number> {
    const tenant = this.#tenants.get(name);
    if (tenant === undefined) return 0;
    this.#tenants.delete(name);
    this.#wish(name, undefined);
    tenant.resolver.close();
    if (this.#context.host.listen(name, [])) this.#touchAll();
    return this.#inTurn(async () => {
      const closed = await Promise.all(
        [...tenant.listeners.values()].map((listener) => listener.stop("gateway removed")),
      );
      tenant.listeners.clear();
      tenant.gateway.listeners.clear();
      return closed.reduce((sum, count) => sum + count, 0);
    });
  }

  drain(): void {
    this.#context.isDraining = true;
  }

  state(): RelayState {
    return { ...this.#summary(), allocations: Array.from(this.#context.allocations.values(), allocationState) };
  }

  // oxlint-disable-next-line require-await -- from workers it is an answer that takes time
  async summary(): Promise<RelaySummary> {
    return this.#summary();
  }

  #summary(): RelaySummary {
    this.#context.offload?.collect();
    return { ...summaryOf(this.#context, this.#tenants.values()), offload: this.#offload.state() };
  }

  async refresh(): Promise<void> {
    // The values of `state` are always current.
  }

  async close(): Promise<void> {
    await Promise.all([...this.#tenants.keys()].map((name) => this.remove(name)));
    this.#context.close();
    this.#offload.close();
  }

  #wish(gateway: string, wish: OffloadWish | undefined): void {
    const endBefore = this.#offload.wish(gateway, wish);
    if (endBefore === undefined) return;
    this.useOffload(this.#offload.handle);
    endBefore();
  }

  /** Ends the allocations of users who are blocked now and were not before, and those that `kicks` name. */
  #endBlocked(gateway: Gateway, before: UserRules | undefined, kicks: readonly Kick[]): void {
    const blocked = Object.keys(gateway.config.users?.blocked ?? {});
    // Users who were blocked before have no allocations: most configs change nothing for anybody.
    if (kicks.length === 0 && blocked.every((user) => Object.hasOwn(before?.blocked ?? {}, user))) return;
    const { allocations } = this.#context;
    const [users, relayed] = [new Set(kicks.map(({ user }) => user)), new Set(kicks.map((kick) => kick.relayed))];
    for (const allocation of allocations.values()) {
      const { userId } = allocation.owner;
      if (allocation.scope.gateway !== gateway) continue;
      if (gateway.isBlocked(userId)) allocations.close(allocation, "user blocked");
      else if (users.has(userId) || allocation.relays.some((one) => relayed.has(formatAddress(one.address, one.port))))
        allocations.close(allocation, "kicked");
    }
  }

  /** A listener port of one gateway is closed to the clients of all gateways. */
  #touchAll(): void {
    for (const { gateway } of this.#tenants.values()) gateway.touch();
  }

  #tenant(config: RelayConfig): Tenant {
    const present = this.#tenants.get(config.name);
    if (present !== undefined) return present;
    const { host, limits, options } = this.#context;
    const gateway = new Gateway({ ...config, listeners: [] }, host, limits, options);
    const { log } = this.#context;
    const changed = (): void => {
      const names = new Set(gateway.config.clusters.filter(isDns).map(({ name }) => name));
      for (const change of this.#admit(
        gateway,
        reconciled(tenant, {}, (name) => names.has(name)),
      ))
        log.info({ gateway: gateway.name, ...change }, "a name resolves to other addresses");
    };
    const resolver = new Resolver({ changed, log });
    const tenant: Tenant = { gateway, listeners: new Map(), resolver };
    this.#tenants.set(config.name, tenant);
    return tenant;
  }

  #admit(gateway: Gateway, transitions: readonly AdmissionTransition[]): readonly AdmissionChange[] {
    const routes = new Map(gateway.config.listeners.map(({ name, routes: names }) => [name, new Set(names)]));
    return gateway.admit(transitions, routes);
  }

  async #listen(tenant: Tenant, config: RelayConfig): Promise<readonly ListenerChange[]> {
    if (this.#tenants.get(config.name) !== tenant) return [];
    const { gateway, listeners } = tenant;
    const before = [...listeners.values()];
    const failed = new Map(
      before.flatMap(({ name, failure }) => (failure === undefined ? [] : ([[name, failure]] as const))),
    );
    const steps = listenerSteps(
      before.map((active) => active.config),
      config.listeners,
      failed,
    );
    const changes: ListenerChange[] = [];
    for (const { step, listener } of steps) {
      const active = listeners.get(listener.name);
      if (step === "keep" || step === "update") {
        const reason = active?.adopt(listener);
        if (step === "update")
          changes.push({
            listener: listener.name,
            change: "updated",
            at: active?.at ?? [],
            ...(reason === undefined ? {} : { reason }),
          });
        continue;
      }
      const at = active?.at ?? [];
      await active?.stop(step === "stop" ? "listener removed" : "listener restarted");
      listeners.delete(listener.name);
      gateway.listeners.delete(listener.name);
      if (step === "stop") changes.push({ listener: listener.name, change: "stopped", at });
    }
    for (const step of steps)
      if (starts.has(step.step)) changes.push(await this.#start(tenant, step, failed.get(step.listener.name)));
    return changes;
  }

  async #start(
    { gateway, listeners }: Tenant,
    step: ListenerStep,
    failedBefore: string | undefined,
  ): Promise<ListenerChange> {
    const { listener } = step;
    const active = new ActiveListener(this.#context, gateway, listener);
    listeners.set(listener.name, active);
    gateway.listeners.set(listener.name, active);
    try {
      await active.start();
    } catch (error) {
      const reason = messageOf(error);
      active.failure = reason;
      // Every apply tries again; known failures are not logged again.
      if (reason !== failedBefore) active.failed(reason);
      return { listener: listener.name, change: "failed", at: [], reason };
    }
    const { at, fault } = active;
    const change = step.step === "restart" ? "restarted" : "started";
    return { listener: listener.name, change, at, ...(fault === undefined ? {} : { reason: fault }) };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#listenerWork.then(work);
    this.#listenerWork = done.catch(() => undefined);
    return done;
  }
}

const isDns = (cluster: Cluster): boolean => cluster.type === "STRICT_DNS";

/**
 * The addresses that a cluster admits. Only a manifest can name a special address: the owner of a DNS name decides what it
 * resolves to.
 */
const wantedOf = ({ gateway: { admission }, resolver }: Tenant, cluster: Cluster, { draining }: Apply) =>
  isDns(cluster)
    ? {
        ...cluster,
        endpoints: resolver.addresses(cluster.endpoints).filter((address) => admission.isOrdinary(address)),
      }
    : { ...cluster, draining: draining?.get(cluster.name) };

/** Updates the clusters that `which` selects to the config, and removes those that it no longer lists. */
const reconciled = (
  tenant: Tenant,
  how: Apply = {},
  which: (cluster: string) => boolean = () => true,
): readonly AdmissionTransition[] => {
  const { admission, config } = tenant.gateway;
  const wanted = new Map(config.clusters.map((cluster) => [cluster.name, cluster]));
  const names = [...new Set([...admission.clusters(), ...wanted.keys()])].filter(which);
  return names.flatMap((name) => {
    const cluster = wanted.get(name);
    return clusterTransitions(name, admission.endpoints(name), cluster && wantedOf(tenant, cluster, how));
  });
};

/** The next step; if there is none, or one was missed, everything that the config lists. */
const transitionsOf = (tenant: Tenant, before: RelayConfig, how: Apply): readonly AdmissionTransition[] => {
  const { config, revision } = tenant.gateway;
  const { admission: step } = how;
  if (step === undefined || step.from !== revision) return reconciled(tenant, how);
  const types = new Map([...before.clusters, ...config.clusters].map(({ name, type }) => [name, type]));
  // A cluster that changed between a list of addresses and a DNS name: no step describes that.
  if (before.clusters.some(({ name, type }) => types.get(name) !== type)) return reconciled(tenant, how);
  return [...step.transitions, ...reconciled(tenant, how, (name) => types.get(name) === "STRICT_DNS")];
};

const starts: ReadonlySet<string> = new Set(["start", "restart"]);
