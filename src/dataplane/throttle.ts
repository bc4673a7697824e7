/** Limits log lines: a client that repeats the same action in a loop must not fill a log. */
const maxPerSecond = 50;

export class Throttle {
  /** Keys that were reported in this second; never more than `maxPerSecond`. */
  readonly #passed = new Set<string>();
  #second = 0;
  #suppressed = 0;

  /**
   * Whether to report this: once a second for each `key`, and fifty times a second in all. Returns how many were suppressed
   * since the last report; undefined if this one is suppressed. `now` in milliseconds.
   */
  take(key: string, now: number): number | undefined {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#passed.clear();
    }
    if (this.#passed.size >= maxPerSecond || this.#passed.has(key)) {
      this.#suppressed++;
      return undefined;
    }
    this.#passed.add(key);
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }
}
