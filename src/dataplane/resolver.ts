/** STRICT_DNS clusters: names to addresses, now and every 30 seconds. A failed look-up keeps the last answer. */
import { lookup } from "node:dns/promises";
import type { Logger } from "pino";

const intervalMilliseconds = 30_000;

export class Resolver {
  /** Names in use; the answer is undefined until there was one. */
  readonly #answers = new Map<string, readonly string[] | undefined>();
  readonly #changed: () => void;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;

  /** `changed` is called after an answer differed from the one before. */
  constructor(changed: () => void, log: Logger) {
    this.#changed = changed;
    this.#log = log;
  }

  /** Makes `names` the names in use; new ones are looked up at once. */
  watch(names: ReadonlySet<string>): void {
    for (const name of this.#answers.keys()) if (!names.has(name)) this.#answers.delete(name);
    for (const name of names) {
      if (this.#answers.has(name)) continue;
      this.#answers.set(name, undefined);
      void this.#resolve(name);
    }
    if (names.size === 0) this.close();
    else this.#timer ??= setInterval(() => this.#resolveAll(), intervalMilliseconds).unref();
  }

  /** Addresses of `names` as last known. */
  addresses(names: readonly string[]): readonly string[] {
    return [...new Set(names.flatMap((name) => this.#answers.get(name) ?? []))].toSorted();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #resolveAll(): void {
    for (const name of this.#answers.keys()) void this.#resolve(name);
  }

  async #resolve(name: string): Promise<void> {
    let found: readonly string[];
    try {
      // By the system's resolver: search domains and the hosts file count.
      found = (await lookup(name, { all: true })).map(({ address }) => address).toSorted();
    } catch (error) {
      this.#log.warn({ name, error }, "a cluster's name does not resolve; its last addresses stay");
      return;
    }
    if (!this.#answers.has(name)) return;
    if (found.join() === this.#answers.get(name)?.join()) return;
    this.#answers.set(name, found);
    this.#changed();
  }
}
