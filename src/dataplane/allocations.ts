/**
 * The allocations of a relay by five-tuple: the places claimed for those that are being made, their numbers, what users may
 * have of them, and how they end.
 */
import type { Subject } from "rxjs";
import { monotonicMs } from "../clock.ts";
import { formatAddress } from "../net/address.ts";
import type { RefusalCode } from "../reasons.ts";
import { Allocation, type AllocationOptions, type AllocationScope, type Owner } from "./allocation.ts";
import type { ClientPath } from "./flows.ts";
import { sweepMilliseconds } from "./limits.ts";
import type { Numbers } from "./numbers.ts";
import { fiveTuple } from "./listeners/listener.ts";
import type { RelayEvent } from "./relay.ts";
import { Tally } from "./tally.ts";

export interface AllocationsOptions {
  /** How many there may be at once. */
  readonly maxAllocations: number;
  /** Numbers of allocations: those of workers are not to meet. */
  readonly ids?: Numbers | undefined;
  /** Allocations by user over all workers. */
  readonly quota?: SharedQuota | undefined;
  readonly events: Pick<Subject<RelayEvent>, "next">;
}

export interface SharedQuota {
  /** Whether `user` may have one more; then it is counted. */
  take(gateway: string, user: string, limit: number): Promise<boolean>;
  /** One less. */
  give(gateway: string, user: string): void;
}

export class Allocations {
  /** By the transport of the client and that of peers; and by reason of their end. */
  readonly opened = new Tally<string>();
  readonly closed = new Tally<string>();
  readonly #options: AllocationsOptions;
  readonly #byTuple = new Map<string, Allocation>();
  /** Five-tuples whose Allocate is being answered; the value says whether somebody still waits for the answer. */
  readonly #claims = new Map<string, { isWanted: boolean }>();
  #nextId: number;

  constructor(options: AllocationsOptions) {
    this.#options = options;
    this.#nextId = options.ids?.first ?? 1;
  }

  /** @param tuple as `fiveTuple` writes it. */
  get(tuple: string): Allocation | undefined {
    return this.#byTuple.get(tuple);
  }

  values(): Iterable<Allocation> {
    return this.#byTuple.values();
  }

  /** Whether an Allocate of this five-tuple is being answered. */
  isClaimed(tuple: string): boolean {
    return this.#claims.has(tuple);
  }

  /** Takes a place for an allocation that is being made; the answer says why there is none. */
  claim({ gateway }: AllocationScope, path: ClientPath, { account }: Owner): RefusalCode | undefined {
    if (this.#byTuple.size + this.#claims.size >= this.#options.maxAllocations) return "508 allocations";
    const { users, userQuota } = gateway;
    if (userQuota > 0 && users.allocationsOf(account) >= userQuota) return "486 quota";
    users.hold(account);
    this.#claims.set(fiveTuple(path), { isWanted: true });
    return undefined;
  }

  /** Gives the place back; false if nobody waits for the allocation. */
  unclaim({ gateway }: AllocationScope, path: ClientPath, { account }: Owner): boolean {
    const tuple = fiveTuple(path);
    const isWanted = this.#claims.get(tuple)?.isWanted ?? false;
    this.#claims.delete(tuple);
    gateway.users.release(account, monotonicMs());
    return isWanted;
  }

  /** Whether the user may have one more allocation, counting those of all workers. */
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
    this.opened.add(`${options.path.protocol} ${allocation.protocol === "TCP" ? "tcp" : "udp"}`);
    this.#options.events.next({ event: "allocation.opened", ...described(allocation) });
    return allocation;
  }

  close(allocation: Allocation, reason: string): void {
    const tuple = fiveTuple(allocation.path);
    if (this.#byTuple.get(tuple) !== allocation) return;
    const { scope, owner } = allocation;
    const description = described(allocation);
    this.#byTuple.delete(tuple);
    this.closed.add(reason);
    allocation.close();
    scope.gateway.users.release(owner.account, monotonicMs());
    this.giveQuotaBack(scope, owner);
    this.#options.events.next({ event: "allocation.closed", ...description, reason, ...allocation.flow.traffic });
  }

  /** Closes those made through `scope`; returns how many there were. */
  closeOf(scope: AllocationScope, reason: string): number {
    const theirs = [...this.#byTuple.values()].filter((allocation) => allocation.scope === scope);
    for (const allocation of theirs) this.close(allocation, reason);
    return theirs.length;
  }

  /** The client of `path` is gone: nobody waits for an answer. */
  abandon(path: ClientPath): void {
    const tuple = fiveTuple(path);
    const claim = this.#claims.get(tuple);
    if (claim !== undefined) claim.isWanted = false;
    const allocation = this.#byTuple.get(tuple);
    if (allocation !== undefined) this.close(allocation, "client closed the connection");
  }

  /**
   * Ends what is over at `now`, in milliseconds of the monotonic clock. What is over before the next call, `sweepMilliseconds`
   * later, ends by a timer of its own: the kernel forwards a channel until its flow is removed.
   */
  expire(now: number): void {
    for (const allocation of this.#byTuple.values()) {
      this.#expire(allocation, now);
      if (!allocation.isClosed && allocation.dueAt < now + sweepMilliseconds)
        setTimeout(
          () => {
            if (!allocation.isClosed) this.#expire(allocation, monotonicMs());
          },
          // Timers may be early by a part of a millisecond.
          Math.ceil(allocation.dueAt - now) + 1,
        ).unref();
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
