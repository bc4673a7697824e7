/**
 * STRICT_DNS clusters: resolves names now and whenever an answer's time to live has expired. A failed look-up keeps the
 * last answer.
 */
import { lookup, Resolver as Dns } from "node:dns/promises";
import type { Logger } from "pino";

/** For an answer without a time to live; also the maximum of any. */
const LONGEST_MS = 30_000;
const SHORTEST_MS = 1000;
const AFTER_FAILURE_MS = 5000;

interface Watched {
  /** Undefined until the first answer. */
  answer: readonly string[] | undefined;
  isFailing: boolean;
  timer: NodeJS.Timeout | undefined;
}

export interface ResolverOptions {
  /** Called after an answer that differs from the previous one. */
  readonly changed: () => void;
  readonly log: Logger;
  /** The addresses of a name. Uses the system's resolver by default: search domains and the hosts file apply. */
  readonly lookUp?: (name: string) => Promise<readonly string[]>;
  /** Asked only for times to live, which the system's resolver does not return. */
  readonly dns?: Dns;
}

const bySystem = async (name: string): Promise<readonly string[]> =>
  (await lookup(name, { all: true })).map(({ address }) => address);

export class Resolver {
  readonly #names = new Map<string, Watched>();
  readonly #options: Required<ResolverOptions>;

  constructor({ lookUp = bySystem, dns = new Dns({ timeout: 2000, tries: 1 }), ...options }: ResolverOptions) {
    this.#options = { lookUp, dns, ...options };
  }

  /** Sets the names in use to `names`; new ones are looked up at once. */
  watch(names: ReadonlySet<string>): void {
    for (const [name, { timer }] of this.#names) {
      if (names.has(name)) continue;
      clearTimeout(timer);
      this.#names.delete(name);
    }
    for (const name of names) {
      if (this.#names.has(name)) continue;
      const watched = { answer: undefined, isFailing: false, timer: undefined };
      this.#names.set(name, watched);
      void this.#follow(name, watched);
    }
  }

  /** Addresses of `names` as last known. */
  addresses(names: readonly string[]): readonly string[] {
    return [...new Set(names.flatMap((name) => this.#names.get(name)?.answer ?? []))].toSorted();
  }

  close(): void {
    this.watch(new Set());
  }

  async #follow(name: string, watched: Watched): Promise<void> {
    const holdsMs = (await this.#resolve(name, watched)) ? await this.#timeToLive(name) : AFTER_FAILURE_MS;
    if (this.#names.get(name) !== watched) return;
    watched.timer = setTimeout(() => void this.#follow(name, watched), holdsMs).unref();
  }

  /** Whether there was an answer. */
  async #resolve(name: string, watched: Watched): Promise<boolean> {
    const { lookUp, changed, log } = this.#options;
    let found: readonly string[];
    try {
      found = (await lookUp(name)).toSorted();
    } catch (error) {
      if (!watched.isFailing) log.warn({ name, error }, "a cluster's name does not resolve; its last addresses stay");
      watched.isFailing = true;
      return false;
    }
    watched.isFailing = false;
    if (this.#names.get(name) === watched && found.join() !== watched.answer?.join()) {
      watched.answer = found;
      changed();
    }
    return true;
  }

  /** Milliseconds: the shortest of its records'. */
  async #timeToLive(name: string): Promise<number> {
    const { dns } = this.#options;
    const answers = await Promise.allSettled([dns.resolve4(name, { ttl: true }), dns.resolve6(name, { ttl: true })]);
    const seconds = answers.flatMap((one) => (one.status === "fulfilled" ? one.value.map(({ ttl }) => ttl) : []));
    return Math.max(SHORTEST_MS, Math.min(LONGEST_MS, ...seconds.map((ttl) => ttl * 1000)));
  }
}
