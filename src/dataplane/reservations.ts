/** Ports for EVEN-PORT, and those held for a RESERVATION-TOKEN (RFC 8656 §7.2). */
import { randomBytes } from "node:crypto";
import type { Engine, HeldPort } from "./engines/engine.ts";
import type { RelayPort } from "./flows.ts";
import { maxReservations, reservationMilliseconds } from "./limits.ts";
import type { RelayAddress } from "./placement.ts";
import type { RelayPortRange } from "./relay-port-range.ts";

const maxProbes = 64;

/** Held ports, by token. */
export class Tokens<T> {
  /** In the order in which they expire. */
  readonly #held = new Map<string, { readonly port: T; readonly expiresAt: number }>();
  readonly #close: (port: T) => void;

  /** @param close releases ports that were not claimed. */
  constructor(close: (port: T) => void) {
    this.#close = close;
  }

  /** Holds `port`; returns the token for `take`. `undefined` if too many are held. `now` of the monotonic clock. */
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

  /** Closes expired ports; all of them if `now` is infinite. */
  expire(now: number): void {
    for (const [key, { port, expiresAt }] of this.#held) {
      if (expiresAt > now) break;
      this.#close(port);
      this.#held.delete(key);
    }
  }
}

/** Tokens that are valid on every thread. */
export interface SharedTokens {
  /** Resolves to the token; `undefined` if too many are held, and the caller still owns the port. */
  hold(port: HeldPort): Promise<Uint8Array | undefined>;
  /** Resolves to the port, which the caller owns from here on. */
  take(token: Uint8Array): Promise<HeldPort | undefined>;
}

export class Reservations {
  readonly #engine: Engine;
  readonly #ports: RelayPortRange;
  readonly #shared: SharedTokens | undefined;
  /** Reservations of this thread only. */
  readonly #own = new Tokens<RelayPort>((port) => port.close());

  /** @param shared if other threads may be asked for ports that are held here; needs an engine that can move ports. */
  constructor(engine: Engine, ports: RelayPortRange, shared?: SharedTokens) {
    this.#engine = engine;
    this.#ports = ports;
    this.#shared = shared;
  }

  /** A relay port with an even number; with `pair`, the next higher one is bound too. `undefined` if none was found. */
  async even(
    address: RelayAddress,
    pair: boolean,
  ): Promise<{ readonly port: RelayPort; readonly next?: RelayPort } | undefined> {
    for (let probe = 0; probe < maxProbes; probe++) {
      const first = await this.#ports.open(address, (port) => this.#engine.relay(address, port));
      if (first.port % 2 === 0) {
        if (!pair) return { port: first };
        const next = this.#ports.has(first.port + 1)
          ? await this.#engine.relay(address, first.port + 1).catch(() => undefined)
          : undefined;
        if (next !== undefined) return { port: first, next };
      }
      first.close();
    }
    return undefined;
  }

  /** Holds `port`; closes it and returns no token if too many are held. `now` of the monotonic clock. */
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

  /** The port that `token` reserves, on any thread; `undefined` if it is no longer held. */
  async take(token: Buffer): Promise<RelayPort | undefined> {
    const { handOver } = this.#engine;
    if (this.#shared === undefined || handOver === undefined) return this.#own.take(token);
    const held = await this.#shared.take(token);
    return held && handOver.accept(held);
  }

  /** Closes expired ports; all of them if `now` is infinite. */
  expire(now: number): void {
    this.#own.expire(now);
  }
}
