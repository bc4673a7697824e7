/**
 * Which ports relayed transport addresses may have: any that the system chooses, or those of a range that a firewall lets
 * through.
 */
import { randomInt } from "node:crypto";
import { familyOf } from "../net/address.ts";
import type { PortRange } from "../net/port-range.ts";
import type { RelayAddress } from "./placement.ts";
import type { RelayState } from "./relay.ts";
import type { RelayedPorts } from "./relayed-ports.ts";

/** Ports of a range that other programs, reservations or other threads may hold, until a search ends without a result. */
const MAX_OCCUPIED = 64;

const isOccupied = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "EADDRINUSE" || error.code === "EACCES");

export class RelayPortRange {
  readonly #range: PortRange | undefined;
  readonly #relayed: RelayedPorts;

  /** @param range absent: the system chooses. @param relayed ports that are in use, over all threads. */
  constructor(range: PortRange | undefined, relayed: RelayedPorts) {
    this.#range = range;
    this.#relayed = relayed;
  }

  /** Undefined if the system chooses. */
  get use(): RelayState["relayPorts"] {
    if (this.#range === undefined) return undefined;
    const { first, last } = this.#range;
    const inUse = { 4: this.#relayed.count(4), 6: this.#relayed.count(6) };
    return { inUse, limit: last - first + 1 };
  }

  has(port: number): boolean {
    return this.#range === undefined || (port >= this.#range.first && port <= this.#range.last);
  }

  /**
   * Opens what `bind` binds: it gets 0 for any port, or in turn free ports of the range, from a random one on. Rejects with
   * the error of `bind`, or if no port of the range is free.
   */
  async open<T>(address: RelayAddress, bind: (port: number) => Promise<T>): Promise<T> {
    if (this.#range === undefined) return bind(0);
    const { first, last } = this.#range;
    const size = last - first + 1;
    const family = familyOf(address.advertised);
    let occupied = 0;
    const start = randomInt(size);
    // With all ports in use no search is necessary: every client that asks would pay for it.
    for (let step = 0; step < size && occupied < MAX_OCCUPIED && this.#relayed.count(family) < size; step++) {
      const port = first + ((start + step) % size);
      if (this.#relayed.has(family, port)) continue;
      try {
        return await bind(port);
      } catch (error) {
        if (!isOccupied(error)) throw error;
        occupied += 1;
      }
    }
    throw new Error(`no port of the relay's range ${first}-${last} is free`);
  }
}
