/** What is worth a line each, within bounds: a client that does the same in a loop must not fill a log. */
const maxPerSecond = 50;

export class Throttle {
  /** What was let through in this second; never more than `maxPerSecond` keys. */
  readonly #passed = new Set<string>();
  #second = 0;
  #suppressed = 0;

  /**
   * Whether to report this: once a second for each `key`, and fifty times in all. Returns how many were suppressed
   * since the one before; nothing if this is one of them. `now` in milliseconds.
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
