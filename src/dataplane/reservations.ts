/** Ports for EVEN-PORT, and those held for a RESERVATION-TOKEN (RFC 8656 §7.2). */
import { randomBytes } from "node:crypto";
import type { Engine, HeldPort } from "./engines/engine.ts";
import type { RelayPort } from "./flows.ts";
import { maxReservations, reservationMilliseconds } from "./limits.ts";
import type { RelayAddress } from "./placement.ts";

const maxProbes = 64;

/** What is held, by token. */
export class Tokens<T> {
  /** In the order in which they expire. */
  readonly #held = new Map<string, { readonly port: T; readonly expiresAt: number }>();
  readonly #close: (port: T) => void;

  /** @param close gives back what nobody came for. */
  constructor(close: (port: T) => void) {
    this.#close = close;
  }

  /** Holds `port`; the answer is the token that `take` wants. `undefined` when too many are held. `now` of the monotonic clock. */
  hold(port: T, now: number): Buffer | undefined {
    if (this.#held.size >= maxReservations) return undefined;
    const token = randomBytes(8);
    this.#held.set(token.toString("hex"), { port, expiresAt: now + reservationMilliseconds });
    return token;
  }

  take(token: Uint8Array): T | undefined {
    const key = Buffer.from(token).toString("hex");
    const held = this.#held.get(key);
    this.#held.delete(key);
    return held?.port;
  }

  /** Closes what nobody came for; all of it when `now` is infinite. */
  expire(now: number): void {
    for (const [key, { port, expiresAt }] of this.#held) {
      if (expiresAt > now) break;
      this.#close(port);
      this.#held.delete(key);
    }
  }
}

/** Tokens that are good on every thread. */
export interface SharedTokens {
  /** Resolves to the token; `undefined` when too many are held, and the port is still the caller's. */
  hold(port: HeldPort): Promise<Uint8Array | undefined>;
  /** Resolves to the port, which is the caller's from here on. */
  take(token: Uint8Array): Promise<HeldPort | undefined>;
}

export class Reservations {
  readonly #engine: Engine;
  readonly #shared: SharedTokens | undefined;
  /** Of this thread alone. */
  readonly #own = new Tokens<RelayPort>((port) => port.close());

  /** @param shared where other threads may be asked for what is held here; needs an engine that can hand ports over. */
  constructor(engine: Engine, shared?: SharedTokens) {
    this.#engine = engine;
    this.#shared = shared;
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

  /** Holds `port`, which it closes when too many are held; the answer, a token, is nothing then. `now` of the monotonic clock. */
  async hold(port: RelayPort, now: number): Promise<Buffer | undefined> {
    const { handOver } = this.#engine;
    if (this.#shared === undefined || handOver === undefined) {
      const token = this.#own.hold(port, now);
      if (token === undefined) port.close();
      return token;
    }
    const held = handOver.release(port);
    const token = await this.#shared.hold(held);
    if (token === undefined) handOver.accept(held).close();
    return token && Buffer.from(token);
  }

  /** The port that `token` was given for, on whichever thread; `undefined` if it is no longer held. */
  async take(token: Buffer): Promise<RelayPort | undefined> {
    const { handOver } = this.#engine;
    if (this.#shared === undefined || handOver === undefined) return this.#own.take(token);
    const held = await this.#shared.take(token);
    return held && handOver.accept(held);
  }

  /** Closes what nobody came for; all of it when `now` is infinite. */
  expire(now: number): void {
    this.#own.expire(now);
  }
}
