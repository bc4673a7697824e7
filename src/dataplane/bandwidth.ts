/**
 * The bandwidth limits of a user and of a listener, each way. The packet path asks for every packet, so the time comes from
 * a clock that a timer sets: no packet costs a system call.
 */
import { TokenBucket } from "./token-bucket.ts";

/** Milliseconds; coarse. */
export interface Clock {
  readonly now: number;
}

export type Over = "user-bandwidth" | "listener-bandwidth";

/** The minimum size of a bucket: the longest datagram must fit. */
const minBurstBytes = 65_536;
const burstSeconds = 0.25;

/** Both directions of one user or one listener. */
export class Budget {
  readonly in: TokenBucket;
  readonly out: TokenBucket;

  constructor(bytesPerSecond: number) {
    const burst = Math.max(minBurstBytes, bytesPerSecond * burstSeconds);
    this.in = new TokenBucket(bytesPerSecond, burst);
    this.out = new TokenBucket(bytesPerSecond, burst);
  }
}

/**
 * The limits of one allocation: a budget that it shares with the user's other allocations, and one that it shares with all
 * allocations of its listener.
 */
export class Bandwidth {
  readonly #clock: Clock;
  readonly #user: Budget | undefined;
  readonly #listener: Budget | undefined;

  constructor(clock: Clock, user: Budget | undefined, listener: Budget | undefined) {
    this.#clock = clock;
    this.#user = user;
    this.#listener = listener;
  }

  /** Takes `bytes` from both budgets, or returns which budget does not have them. */
  take(way: "in" | "out", bytes: number): Over | undefined {
    const { now } = this.#clock;
    const user = this.#user?.[way];
    const listener = this.#listener?.[way];
    if (user !== undefined && !user.has(now, bytes)) return "user-bandwidth";
    if (listener !== undefined && !listener.take(now, bytes)) return "listener-bandwidth";
    user?.take(now, bytes);
    return undefined;
  }

  /** Takes bytes that a stream has already received. Returns the number of milliseconds to wait before the next read. */
  owe(way: "in" | "out", bytes: number): number {
    const { now } = this.#clock;
    return Math.max(this.#user?.[way].owe(now, bytes) ?? 0, this.#listener?.[way].owe(now, bytes) ?? 0);
  }
}
