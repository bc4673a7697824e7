/**
 * Limits how often an unproven address is sent more than it asked for. Over UDP a source address may be forged: an attacker
 * that sends requests in a victim's name would make the relay send the victim several times as much. An address is proven
 * once a request from it was authenticated, since the client must have received the nonce; that holds for ten minutes, and
 * for all clients behind the address.
 *
 * Addresses (of IPv6 the /64) share the slots of a table of fixed size, so that forged ones cost no memory.
 */
import { putIp } from "../net/ip.ts";

const SLOTS = 1 << 14;
const PROVEN_MILLISECONDS = 600_000;
/** Burst of answers to an address, as a multiple of those in a second: many clients may be behind one address. */
const BURST = 8;
/**
 * Answers to Binding requests, which are longer by at most an address, are allowed this many times as often: keepalives are
 * among them.
 */
const BINDING_SHARE = 16;

/**
 * The parts of a slot: tokens for challenges and for Binding, the time at which they were counted, and until when the
 * address is proven.
 */
const [CHALLENGE, BINDING, AT, PROVEN, PARTS] = [0, 1, 2, 3, 4];

const isLoopback = (address: string): boolean => address.startsWith("127.") || address === "::1";

export class UnprovenSources {
  readonly #perSecond: number;
  readonly #seed = (Math.random() * 0x1_0000_0000) | 0;
  readonly #bytes = new Uint8Array(16);
  /** Allocated when the first address is counted. */
  #slots: Float64Array | undefined;

  /** @param perSecond answers that an unproven address gets in a second; 0: no limit. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** A request from `address` was authenticated at `now` (milliseconds). */
  prove(address: string, now: number): void {
    if (this.#perSecond === 0 || isLoopback(address)) return;
    this.#table()[this.#slotOf(address) + PROVEN] = now + PROVEN_MILLISECONDS;
  }

  /** Whether `address` may be sent an answer at `now` (milliseconds) that is longer than its request; counts it as sent. */
  take(address: string, kind: "challenge" | "binding", now: number): boolean {
    // Sources that do not come from the network cannot be forged.
    if (this.#perSecond === 0 || isLoopback(address)) return true;
    const table = this.#table();
    const slot = this.#slotOf(address);
    if ((table[slot + PROVEN] ?? 0) > now) return true;
    const earned = ((now - (table[slot + AT] ?? 0)) / 1000) * this.#perSecond;
    const most = this.#perSecond * BURST;
    table[slot + AT] = now;
    table[slot + CHALLENGE] = Math.min(most, (table[slot + CHALLENGE] ?? 0) + earned);
    table[slot + BINDING] = Math.min(most * BINDING_SHARE, (table[slot + BINDING] ?? 0) + earned * BINDING_SHARE);
    const part = slot + (kind === "challenge" ? CHALLENGE : BINDING);
    if ((table[part] ?? 0) < 1) return false;
    table[part] = (table[part] ?? 0) - 1;
    return true;
  }

  #table(): Float64Array {
    if (this.#slots === undefined) {
      this.#slots = new Float64Array(SLOTS * PARTS);
      // Long ago: every bucket is full.
      for (let slot = 0; slot < SLOTS; slot++) this.#slots[slot * PARTS + AT] = Number.NEGATIVE_INFINITY;
    }
    return this.#slots;
  }

  /** FNV-1a, seeded: attackers cannot predict which addresses share a slot. */
  #slotOf(address: string): number {
    const length = putIp(address, this.#bytes, 0) === 4 ? 4 : 8;
    let hash = 0x811c9dc5 ^ this.#seed;
    for (let index = 0; index < length; index++) hash = Math.imul(hash ^ (this.#bytes[index] ?? 0), 0x01000193);
    hash ^= hash >>> 15;
    return ((hash >>> 0) % SLOTS) * PARTS;
  }
}
