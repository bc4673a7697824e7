/** `peer.refused` events, bounded: a client that tries every peer in a loop must not fill a log. */
import type { RelayEvent } from "./relay.ts";

export type PeerRefused = Extract<RelayEvent, { readonly event: "peer.refused" }>;

const maxPerSecond = 50;

export class Refusals {
  readonly #emit: (event: PeerRefused) => void;
  /** What was emitted in this second; never more than `maxPerSecond` keys. */
  readonly #emitted = new Set<string>();
  #second = 0;
  #suppressed = 0;

  constructor(emit: (event: PeerRefused) => void) {
    this.#emit = emit;
  }

  add(refused: Omit<PeerRefused, "event" | "suppressed">, now: number): void {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#emitted.clear();
    }
    const key = `${refused.client} ${refused.peer} ${refused.reason}`;
    if (this.#emitted.size >= maxPerSecond || this.#emitted.has(key)) {
      this.#suppressed++;
      return;
    }
    this.#emitted.add(key);
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    this.#emit({ event: "peer.refused", ...refused, suppressed });
  }
}
