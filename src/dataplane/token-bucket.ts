/** A rate limit: tokens that refill with time. The state is two numbers, and reading it does not allocate. */

export class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  /** Tokens, and the time (milliseconds) at which they were counted. */
  readonly #state = new Float64Array(2);

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#state[0] = burst;
  }

  /** Whether there are `count` tokens at `now` (milliseconds). */
  has(now: number, count: number): boolean {
    const state = this.#state;
    const passed = Math.max(0, now - (state[1] ?? 0));
    state[0] = Math.min(this.#burst, (state[0] ?? 0) + (passed / 1000) * this.#perSecond);
    state[1] = now;
    return (state[0] ?? 0) >= count;
  }

  /** Takes `count` tokens, if there are that many at `now` (milliseconds). */
  take(now: number, count = 1): boolean {
    if (!this.has(now, count)) return false;
    this.#state[0] = (this.#state[0] ?? 0) - count;
    return true;
  }

  /** Takes `count` tokens even if there are fewer. Returns the number of milliseconds until the debt is refilled. */
  owe(now: number, count: number): number {
    this.has(now, count);
    const left = (this.#state[0] ?? 0) - count;
    this.#state[0] = left;
    return left >= 0 ? 0 : (-left / this.#perSecond) * 1000;
  }
}
