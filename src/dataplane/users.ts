/** What each user of a gateway holds and may do: allocations, data, requests. */
import { Budget } from "./bandwidth.ts";
import type { Limits } from "./limits.ts";
import { TokenBucket } from "./token-bucket.ts";

class User {
  /** Those being made included. */
  allocations = 0;
  /** Of the last request, milliseconds. */
  askedAt = 0;
  readonly budget: Budget | undefined;
  readonly requests: TokenBucket | undefined;

  constructor({ userBytesPerSecond, userRequestsPerSecond }: Limits) {
    this.budget = userBytesPerSecond > 0 ? new Budget(userBytesPerSecond) : undefined;
    this.requests =
      userRequestsPerSecond > 0 ? new TokenBucket(userRequestsPerSecond, userRequestsPerSecond) : undefined;
  }
}

/** Users without an allocation that are remembered before those who ask no more are forgotten. */
const maxStrangers = 1024;
/** After so long a bucket is full again. */
const forgetMilliseconds = 2000;

export class Users {
  readonly #limits: Limits;
  readonly #byId = new Map<string, User>();
  #strangers = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  allocationsOf(userId: string): number {
    return this.#byId.get(userId)?.allocations ?? 0;
  }

  budgetOf(userId: string): Budget | undefined {
    return this.#byId.get(userId)?.budget;
  }

  /** One allocation more. */
  hold(userId: string): void {
    const user = this.#get(userId);
    if (user.allocations === 0) this.#strangers--;
    user.allocations++;
  }

  /** One less, as of `now` (milliseconds). What it may do is remembered: it must not begin anew with each allocation. */
  release(userId: string, now: number): void {
    const user = this.#byId.get(userId);
    if (user === undefined || --user.allocations > 0) return;
    user.askedAt = now;
    this.#strangers++;
    if (user.requests === undefined && user.budget === undefined) this.#remove(userId);
    else if (this.#strangers > maxStrangers) this.#forget(now);
  }

  /** Whether the user may ask one thing more at `now` (milliseconds). */
  mayAsk(userId: string, now: number): boolean {
    if (this.#limits.userRequestsPerSecond === 0) return true;
    const user = this.#get(userId);
    user.askedAt = now;
    if (this.#strangers > maxStrangers) this.#forget(now);
    return user.requests?.take(now) ?? true;
  }

  #get(userId: string): User {
    let user = this.#byId.get(userId);
    if (user !== undefined) return user;
    user = new User(this.#limits);
    this.#strangers++;
    this.#byId.set(userId, user);
    return user;
  }

  #forget(now: number): void {
    for (const [userId, { allocations, askedAt }] of this.#byId) {
      if (allocations > 0 || now - askedAt < forgetMilliseconds) continue;
      this.#remove(userId);
    }
  }

  #remove(userId: string): void {
    this.#byId.delete(userId);
    this.#strangers--;
  }
}
