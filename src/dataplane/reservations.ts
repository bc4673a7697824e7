/** Ports for EVEN-PORT, and those held for a RESERVATION-TOKEN (RFC 8656 §7.2). */
import { randomBytes } from "node:crypto";
import type { Engine } from "./engines/engine.ts";
import type { RelayPort } from "./flows.ts";
import type { RelayAddress } from "./placement.ts";
import { maxReservations, reservationMilliseconds } from "./limits.ts";

const maxProbes = 64;

export class Reservations {
  /** In the order in which they expire. */
  readonly #held = new Map<string, { readonly port: RelayPort; readonly expiresAt: number }>();
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** A relay port with an even number; with `pair`, the one above it is bound too. `undefined` when none was found. */
  async even(
    address: RelayAddress,
    pair: boolean,
  ): Promise<{ readonly port: RelayPort; readonly next?: RelayPort } | undefined> {
    for (let probe = 0; probe < maxProbes; probe++) {
      const first = await this.#engine.relay(address, 0);
      if (first.port % 2 === 0) {
        if (!pair) return { port: first };
        const next = await this.#engine.relay(address, first.port + 1).catch(() => undefined);
        if (next !== undefined) return { port: first, next };
      }
      first.close();
    }
    return undefined;
  }

  /** Holds `port`; the answer is the token that `take` wants. `undefined` when too many are held. */
  hold(port: RelayPort, now: number): Buffer | undefined {
    if (this.#held.size >= maxReservations) return undefined;
    const token = randomBytes(8);
    this.#held.set(token.toString("hex"), { port, expiresAt: now + reservationMilliseconds });
    return token;
  }

  take(token: Buffer): RelayPort | undefined {
    const key = token.toString("hex");
    const held = this.#held.get(key);
    this.#held.delete(key);
    return held?.port;
  }

  /** Closes what nobody came for; all of it when `now` is infinite. */
  expire(now: number): void {
    for (const [key, { port, expiresAt }] of this.#held) {
      if (expiresAt > now) break;
      port.close();
      this.#held.delete(key);
    }
  }
}
