/**
 * The state and limits of each account of a gateway: allocations, data, requests. An account is a user, or a client that
 * named none.
 */
import { Budget } from "./bandwidth.ts";
import type { Limits } from "./limits.ts";
import { TokenBucket } from "./token-bucket.ts";

class User {
  /** Including those being made. */
  allocations = 0;
  /** Time of the last request, milliseconds. */
  askedAt = 0;
  readonly budget: Budget | undefined;
  readonly requests: TokenBucket | undefined;

  constructor({ userBytesPerSecond, userRequestsPerSecond }: Limits) {
    this.budget = userBytesPerSecond > 0 ? new Budget(userBytesPerSecond) : undefined;
    this.requests =
      userRequestsPerSecond > 0 ? new TokenBucket(userRequestsPerSecond, userRequestsPerSecond) : undefined;
  }
}

/** Number of users without an allocation that are remembered before inactive ones are forgotten. */
const maxUnauthenticated = 1024;
/** A bucket is full again after this time. */
const forgetMilliseconds = 2000;

export class Users {
  readonly #limits: Limits;
  readonly #byAccount = new Map<string, User>();
  #unauthenticated = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  allocationsOf(account: string): number {
    return this.#byAccount.get(account)?.allocations ?? 0;
  }

  budgetOf(account: string): Budget | undefined {
    return this.#byAccount.get(account)?.budget;
  }

  /** Counts one more allocation. */
  hold(account: string): void {
    const user = this.#get(account);
    if (user.allocations === 0) this.#unauthenticated--;
    user.allocations++;
  }

  /**
   * Counts one fewer, as of `now` (milliseconds). The account's buckets are kept: limits must not reset with each
   * allocation.
   */
  release(account: string, now: number): void {
    const user = this.#byAccount.get(account);
    if (user === undefined || --user.allocations > 0) return;
    user.askedAt = now;
    this.#unauthenticated++;
    if (user.requests === undefined && user.budget === undefined) this.#remove(account);
    else if (this.#unauthenticated > maxUnauthenticated) this.#forget(now);
  }

  /** Whether the user may send one more request at `now` (milliseconds). */
  mayAsk(account: string, now: number): boolean {
    if (this.#limits.userRequestsPerSecond === 0) return true;
    const user = this.#get(account);
    user.askedAt = now;
    if (this.#unauthenticated > maxUnauthenticated) this.#forget(now);
    return user.requests?.take(now) ?? true;
  }

  #get(account: string): User {
    let user = this.#byAccount.get(account);
    if (user !== undefined) return user;
    user = new User(this.#limits);
    this.#unauthenticated++;
    this.#byAccount.set(account, user);
    return user;
  }

  #forget(now: number): void {
    for (const [account, { allocations, askedAt }] of this.#byAccount) {
      if (allocations > 0 || now - askedAt < forgetMilliseconds) continue;
      this.#remove(account);
    }
  }

  #remove(account: string): void {
    this.#byAccount.delete(account);
    this.#unauthenticated--;
  }
}
