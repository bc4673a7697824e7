/**
 * The allocations of a relay by five-tuple: places claimed for allocations that are being made, their numbers, quotas of
 * users, and how allocations end.
 */
import type { Subject } from "rxjs";
import { monotonicMs } from "../clock.ts";
import { formatAddress } from "../net/address.ts";
import type { RefusalCode } from "../reasons.ts";
import { Allocation, type AllocationOptions, type AllocationScope, type Mobility, type Owner } from "./allocation.ts";
import type { ClientPath } from "./flows.ts";
import { sweepMilliseconds } from "./limits.ts";
import type { Numbers } from "./numbers.ts";
import { fiveTuple, type ListenerPath } from "./listeners/listener.ts";
import type { Offload } from "./offload/offload.ts";
import type { RelayEvent } from "./relay.ts";
import { Tally } from "./tally.ts";

export interface AllocationsOptions {
  /** Maximum number of allocations. */
  readonly maxAllocations: number;
  /** Numbers of allocations; unique across workers. */
  readonly ids?: Numbers | undefined;
  /** Allocations by user over all workers. */
  readonly quota?: SharedQuota | undefined;
  /** How often the usage of an open allocation is reported, in seconds; never if absent. */
  readonly usageSeconds?: number | undefined;
  readonly events: Pick<Subject<RelayEvent>, "next">;
}

export interface SharedQuota {
  /** Counts one more allocation of `user`; false if the quota does not allow it. */
  take(gateway: string, user: string, limit: number): Promise<boolean>;
  /** Counts one fewer. */
  give(gateway: string, user: string): void;
}

/** How often allocations are looked at for reports in each interval between the reports of one. */
const REPORTS_PER_INTERVAL = 20;

export class Allocations {
  /** Allocations made, by transport of the client and of the peers; allocations ended, by reason. */
  readonly opened = new Tally<string>();
  readonly closed = new Tally<string>();
  /** Moves to another five-tuple, by transport of the client. */
  readonly moved = new Tally<string>();
  readonly #options: AllocationsOptions;
  readonly #byTuple = new Map<string, Allocation>();
  /** By the five-tuple that they are about to move to. */
  readonly #announced = new Map<string, Allocation>();
  /** Those with a mobility ticket, by number. */
  readonly #mobile = new Map<number, Allocation>();
  /** Five-tuples whose Allocate is being answered; the value is whether a client still waits for the answer. */
  readonly #claims = new Map<string, { isWanted: boolean }>();
  #nextId: number;
  /** When allocations are next looked at for reports, in milliseconds of the monotonic clock. */
  #reportAt = -Infinity;

  constructor(options: AllocationsOptions) {
    this.#options = options;
    this.#nextId = options.ids?.first ?? 1;
  }

  /** @param tuple as `fiveTuple` writes it; also one that the allocation is about to move to. */
  get(tuple: string): Allocation | undefined {
    return this.#byTuple.get(tuple) ?? this.#announced.get(tuple);
  }

  /** The open allocation number `id`, if it has a mobility ticket. */
  mobile(id: number): Allocation | undefined {
    return this.#mobile.get(id);
  }

  values(): Iterable<Allocation> {
    return this.#byTuple.values();
  }

  /** Whether an Allocate of this five-tuple is being answered. */
  isClaimed(tuple: string): boolean {
    return this.#claims.has(tuple);
  }

  /** Claims a place for an allocation that is being made; returns why it cannot, if it cannot. */
  claim({ gateway }: AllocationScope, path: ClientPath, { account }: Owner): RefusalCode | undefined {
    if (this.#byTuple.size + this.#claims.size >= this.#options.maxAllocations) return "508 allocations";
    const { users, userQuota } = gateway;
    if (userQuota > 0 && users.allocationsOf(account) >= userQuota) return "486 quota";
    users.hold(account);
    this.#claims.set(fiveTuple(path), { isWanted: true });
    return undefined;
  }

  /** Releases the place; false if no client waits for the allocation. */
  unclaim({ gateway }: AllocationScope, path: ClientPath, { account }: Owner): boolean {
    const tuple = fiveTuple(path);
    const isWanted = this.#claims.get(tuple)?.isWanted ?? false;
    this.#claims.delete(tuple);
    gateway.users.release(account, monotonicMs());
    return isWanted;
  }

  /** Whether the user may have one more allocation, counted over all workers. */
  async takeQuota({ gateway }: AllocationScope, { account }: Owner): Promise<boolean> {
    if (gateway.userQuota === 0) return true;
    return (await this.#options.quota?.take(gateway.name, account, gateway.userQuota)) ?? true;
  }

  /** Undoes `takeQuota`. */
  giveQuotaBack({ gateway }: AllocationScope, { account }: Owner): void {
    this.#options.quota?.give(gateway.name, account);
  }

  open(scope: AllocationScope, options: Omit<AllocationOptions, "id">): Allocation {
    scope.gateway.users.hold(options.owner.account);
    const allocation = new Allocation(scope, { ...options, id: this.#nextId });
    this.#nextId += this.#options.ids?.step ?? 1;
    this.#byTuple.set(fiveTuple(options.path), allocation);
    const { usageSeconds = Infinity } = this.#options;
    allocation.reportAt = options.now + usageSeconds * 1000;
    this.opened.add(`${options.path.protocol} ${allocation.protocol === "TCP" ? "tcp" : "udp"}`);
    this.#options.events.next({ event: "allocation.opened", ...described(allocation) });
    return allocation;
  }

  /** Lets the client of `allocation` move it by tickets. */
  makeMobile(allocation: Allocation): Mobility {
    allocation.mobility = { newest: 1, oldest: 1, answered: undefined };
    this.#mobile.set(allocation.id, allocation);
    return allocation.mobility;
  }

  /** The client of `allocation` may move it to `path`: it does so with its first data or request from there. */
  announce(allocation: Allocation, path: ListenerPath): void {
    this.#withdraw(allocation);
    allocation.announce(path, () => this.#move(allocation));
    this.#announced.set(fiveTuple(path), allocation);
  }

  /** Whether `allocation` is about to move to `path`. */
  isAnnounced({ next }: Allocation, path: ClientPath): boolean {
    return next !== undefined && fiveTuple(next.path) === fiveTuple(path);
  }

  /** An authenticated request arrived by `path`: if the allocation is about to move there, it does. */
  used(allocation: Allocation, path: ClientPath): void {
    if (this.isAnnounced(allocation, path)) this.#move(allocation);
  }

  #move(allocation: Allocation): void {
    const { client } = allocation.path;
    this.#byTuple.delete(fiveTuple(allocation.path));
    allocation.move();
    const tuple = fiveTuple(allocation.path);
    this.#announced.delete(tuple);
    this.#byTuple.set(tuple, allocation);
    this.moved.add(allocation.path.protocol);
    const from = formatAddress(client.address, client.port);
    this.#options.events.next({ event: "allocation.moved", ...described(allocation), from });
  }

  #withdraw(allocation: Allocation): void {
    if (allocation.next !== undefined) this.#announced.delete(fiveTuple(allocation.next.path));
    allocation.withdraw();
  }

  close(allocation: Allocation, reason: string): void {
    const tuple = fiveTuple(allocation.path);
    if (this.#byTuple.get(tuple) !== allocation) return;
    const { scope, owner } = allocation;
    const description = described(allocation);
    this.#byTuple.delete(tuple);
    this.#withdraw(allocation);
    this.#mobile.delete(allocation.id);
    this.closed.add(reason);
    allocation.close();
    scope.gateway.users.release(owner.account, monotonicMs());
    this.giveQuotaBack(scope, owner);
    this.#options.events.next({
      event: "allocation.closed",
      ...description,
      reason,
      ...allocation.flow.traffic,
      ...allocation.usage.report(),
    });
  }

  /** Closes the allocations made through `scope`; returns their number. */
  closeOf(scope: AllocationScope, reason: string): number {
    const theirs = [...this.#byTuple.values()].filter((allocation) => allocation.scope === scope);
    for (const allocation of theirs) this.close(allocation, reason);
    return theirs.length;
  }

  /** The client of `path` has disconnected: nothing waits for an answer. */
  abandon(path: ClientPath): void {
    const tuple = fiveTuple(path);
    const claim = this.#claims.get(tuple);
    if (claim !== undefined) claim.isWanted = false;
    const allocation = this.get(tuple);
    if (allocation === undefined) return;
    if (allocation.next === undefined) this.close(allocation, "client closed the connection");
    else if (this.isAnnounced(allocation, path)) this.#withdraw(allocation);
    // RFC 8016 §3.2.2: the end of the previous connection completes the move.
    else this.#move(allocation);
  }

  /**
   * Ends what has expired at `now`, in milliseconds of the monotonic clock. What expires before the next call,
   * `sweepMilliseconds` later, gets its own timer: the kernel forwards a channel until its flow is removed.
   */
  expire(now: number): void {
    this.#reportUsage(now);
    for (const allocation of this.#byTuple.values()) {
      this.#expire(allocation, now);
      if (!allocation.isClosed && allocation.dueAt < now + sweepMilliseconds)
        setTimeout(
          () => {
            if (!allocation.isClosed) this.#expire(allocation, monotonicMs());
          },
          // Timers may fire early by a part of a millisecond.
          Math.ceil(allocation.dueAt - now) + 1,
        ).unref();
    }
  }

  /** Reports the usage of allocations whose last report, or whose start, was `usageSeconds` ago. */
  #reportUsage(now: number): void {
    const { usageSeconds, events } = this.#options;
    if (usageSeconds === undefined || now < this.#reportAt) return;
    // All counters of the kernel are read at once, which takes long if there are many: so not at every call.
    this.#reportAt = now + (usageSeconds * 1000) / REPORTS_PER_INTERVAL;
    const read = new Set<Offload>();
    for (const allocation of this.#byTuple.values()) {
      if (now < allocation.reportAt) continue;
      const { offload } = allocation.scope;
      if (offload !== undefined && !read.has(offload)) {
        offload.collect();
        read.add(offload);
      }
      allocation.reportAt = now + usageSeconds * 1000;
      events.next({
        event: "allocation.used",
        ...described(allocation),
        ...allocation.flow.traffic,
        ...allocation.usage.report(),
      });
    }
  }

  #expire(allocation: Allocation, now: number): void {
    if (allocation.expiresAt <= now) this.close(allocation, "expired");
    else allocation.expire(now);
  }
}

const described = ({ id, owner, path, relays, scope }: Allocation) => ({
  gateway: scope.gateway.name,
  listener: scope.name,
  id,
  user: owner.userId,
  client: formatAddress(path.client.address, path.client.port),
  relayed: relays.map(({ address, port }) => formatAddress(address, port)).join(", "),
});
