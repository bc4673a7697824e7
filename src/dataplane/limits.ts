/** Bounds on what one client, one listener or one gateway may make the relay hold. */

/** Allocations over all gateways; more are refused with 508. */
export const maxAllocations = 50_000;
/** Permissions of one allocation; more are refused with 508. */
export const maxPermissions = 128;
/** Channels of one allocation; more are refused with 508. */
export const maxChannels = 128;
/** Peers (address and port) of one allocation whose admission is remembered. */
export const maxPeers = 512;
/** Stream connections without an allocation on one listener; the oldest is closed for a new one. */
export const maxIdleConnections = 4096;
/** TLS and DTLS handshakes under way on one listener; the oldest makes room for a new one. */
export const maxHandshakes = 1024;
/** Milliseconds that a handshake may take. */
export const handshakeMilliseconds = 10_000;
/** Milliseconds that a stream connection may go without an allocation, or a frame may stay incomplete. */
export const idleConnectionMilliseconds = 30_000;
/** Bytes that may wait in the program for a slow stream client, or for a socket, before media is dropped. */
export const maxBacklogBytes = 1 << 20;
/** Bytes of the longest frame of a stream client without an allocation. */
export const maxIdleFrameBytes = 4096;
/** Connections to TCP peers of one allocation, those that are being made included; more are refused with 508. */
export const maxPeerConnections = 64;
/** Milliseconds that a connection to a TCP peer may take to come about, RFC 6062 §5.2. */
export const connectMilliseconds = 30_000;
/** Milliseconds that a connection of a TCP peer waits for a client's, RFC 6062 §5.2. */
export const unboundConnectionMilliseconds = 30_000;
/** Milliseconds that the port behind EVEN-PORT is held, RFC 8656 §7.2. */
export const reservationMilliseconds = 30_000;
/** Ports held for reservations in all. */
export const maxReservations = 256;
/** Bytes of an unauthenticated answer over UDP for each byte of the request. */
export const amplification = 3;

/** Tokens that refill with time; the state is two numbers. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #at = 0;

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Whether there was a token at `now` (milliseconds). */
  take(now: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (Math.max(0, now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
