/** A histogram of times: sixteen buckets for each doubling, so a value is accurate to about four percent. */

const STEPS = 16;
const BUCKETS = 32 * STEPS;

const bucketOf = (value: number): number =>
  value < 1 ? 0 : Math.min(BUCKETS - 1, Math.floor(Math.log2(value) * STEPS));

export class Latencies {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;

  add(value: number): void {
    const bucket = bucketOf(value);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count++;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = 0;
  }

  /** The value that `share` (0 to 1) of all values do not exceed; 0 if there are none. */
  quantile(share: number): number {
    let left = Math.ceil(this.#count * share);
    for (let bucket = 0; bucket < BUCKETS && left > 0; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return 2 ** ((bucket + 1) / STEPS);
    }
    return 0;
  }
}
