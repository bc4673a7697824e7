/**
 * How much data of a user, and of a listener, may pass each way. The packet path asks for every packet: the time is that of
 * a clock that a timer sets, so that nobody asks the system for it.
 */
import { TokenBucket } from "./token-bucket.ts";

/** Milliseconds; coarse. */
export interface Clock {
  readonly now: number;
}

export type Over = "user-bandwidth" | "listener-bandwidth";

/** No bucket holds less: the longest datagram must fit. */
const minBurstBytes = 65_536;
const burstSeconds = 0.25;

/** Both ways of one user or one listener. */
export class Budget {
  readonly in: TokenBucket;
  readonly out: TokenBucket;

  constructor(bytesPerSecond: number) {
    const burst = Math.max(minBurstBytes, bytesPerSecond * burstSeconds);
    this.in = new TokenBucket(bytesPerSecond, burst);
    this.out = new TokenBucket(bytesPerSecond, burst);
  }
}

/** What one allocation is held to: a budget that it shares with others of its user, and one with all of its listener. */
export class Bandwidth {
  readonly #clock: Clock;
  readonly #user: Budget | undefined;
  readonly #listener: Budget | undefined;

  constructor(clock: Clock, user: Budget | undefined, listener: Budget | undefined) {
    this.#clock = clock;
    this.#user = user;
    this.#listener = listener;
  }

  /** Takes `bytes` of what may pass; the answer says whose budget does not have them. */
  take(way: "in" | "out", bytes: number): Over | undefined {
    const { now } = this.#clock;
    const user = this.#user?.[way];
    const listener = this.#listener?.[way];
    if (user !== undefined && !user.has(now, bytes)) return "user-bandwidth";
    if (listener !== undefined && !listener.take(now, bytes)) return "listener-bandwidth";
    user?.take(now, bytes);
    return undefined;
  }

  /** Takes bytes that are here already, of a stream. The answer is how many milliseconds to wait before more are read. */
  owe(way: "in" | "out", bytes: number): number {
    const { now } = this.#clock;
    return Math.max(this.#user?.[way].owe(now, bytes) ?? 0, this.#listener?.[way].owe(now, bytes) ?? 0);
  }
}
