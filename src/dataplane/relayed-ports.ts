/**
 * Which ports are relayed transport addresses right now, over all threads of a relay: clients that call each other through
 * the relay send to each other's. In shared memory, with a part for each thread, so that a thread that ends removes only
 * its own.
 */
import type { Family } from "../net/ip.ts";

const PORTS = 0x10000;
/** Two totals, by family, and the number of addresses for each port. */
const TOTALS_BYTES = 8;

export type PortMemory = SharedArrayBuffer;

export const portMemory = (): PortMemory => new SharedArrayBuffer(TOTALS_BYTES + 2 * PORTS);

/** Forgets the ports of a thread that has ended. */
export const clearPorts = (memory: PortMemory): void => void new Uint8Array(memory).fill(0);

const indexOf = (family: Family): 0 | 1 => (family === 4 ? 0 : 1);

export class RelayedPorts {
  readonly #own: Uint8Array;
  readonly #ownTotals: Int32Array;
  readonly #all: readonly Uint8Array[];
  readonly #totals: readonly Int32Array[];

  /** @param own the part of this thread; @param all the parts of all threads, including its own. */
  constructor(own: PortMemory = portMemory(), all: readonly PortMemory[] = [own]) {
    const [counts, totals] = [
      (memory: PortMemory) => new Uint8Array(memory, TOTALS_BYTES),
      (memory: PortMemory) => new Int32Array(memory, 0, 2),
    ];
    this.#own = counts(own);
    this.#ownTotals = totals(own);
    this.#all = all.map(counts);
    this.#totals = all.map(totals);
  }

  add(family: Family, port: number): void {
    Atomics.add(this.#own, indexOf(family) * PORTS + port, 1);
    Atomics.add(this.#ownTotals, indexOf(family), 1);
  }

  remove(family: Family, port: number): void {
    Atomics.sub(this.#own, indexOf(family) * PORTS + port, 1);
    Atomics.sub(this.#ownTotals, indexOf(family), 1);
  }

  has(family: Family, port: number): boolean {
    return this.#all.some((counts) => Atomics.load(counts, indexOf(family) * PORTS + port) > 0);
  }

  /** Number of addresses of a family. */
  count(family: Family): number {
    return this.#totals.reduce((sum, totals) => sum + Atomics.load(totals, indexOf(family)), 0);
  }
}
