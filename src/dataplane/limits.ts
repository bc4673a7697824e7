/** Limits on what one client, one listener or one gateway may make the relay hold. */

/** What the operator of the relay may configure. */
export interface Limits {
  /** Allocations over all gateways; more are rejected with 508. */
  readonly maxAllocations: number;
  /** Permissions of one allocation; more are rejected with 508. */
  readonly maxPermissions: number;
  /** Stream connections without an allocation on one listener; the oldest is closed for a new one. */
  readonly maxIdleConnections: number;
  /** TLS and DTLS handshakes in progress on one listener; the oldest is closed for a new one. */
  readonly maxHandshakes: number;
  /** Milliseconds that a handshake may take. */
  readonly handshakeMilliseconds: number;
  /** Milliseconds that a stream connection may go without an allocation, or a frame may stay incomplete. */
  readonly idleConnectionMilliseconds: number;
  /** Connections that one listener passes on to its HTTP backend; more are closed. */
  readonly maxHttpConnections: number;
  /** Milliseconds without data in either direction after which such a connection is closed. */
  readonly idleHttpMilliseconds: number;
  /** Application data each way, of all allocations of a user of a gateway, and of a listener; 0 for no limit. */
  readonly userBytesPerSecond: number;
  readonly listenerBytesPerSecond: number;
  /** STUN requests, of a user of a gateway, and at a listener; 0 for no limit. */
  readonly userRequestsPerSecond: number;
  readonly listenerRequestsPerSecond: number;
  /** Answers over UDP that are longer than the request, to an address that has not authenticated; 0 for no limit. */
  readonly unprovenAnswersPerSecond: number;
}

export const defaultLimits: Limits = {
  maxAllocations: 50_000,
  maxPermissions: 128,
  maxIdleConnections: 4096,
  maxHandshakes: 1024,
  handshakeMilliseconds: 10_000,
  idleConnectionMilliseconds: 30_000,
  maxHttpConnections: 4096,
  idleHttpMilliseconds: 600_000,
  userBytesPerSecond: 0,
  listenerBytesPerSecond: 0,
  userRequestsPerSecond: 0,
  listenerRequestsPerSecond: 0,
  unprovenAnswersPerSecond: 4,
};

/** Channels of one allocation; more are rejected with 508. */
export const maxChannels = 128;
/** Peers (address and port) of one allocation whose admission is remembered. */
export const maxPeers = 512;
/** Bytes that may wait in the program for a slow stream client, or for a socket, before media is dropped. */
export const maxBacklogBytes = 1 << 20;
/** Bytes of the longest frame of a stream client without an allocation. */
export const maxIdleFrameBytes = 4096;
/** Connections to TCP peers of one allocation, including those being made; more are rejected with 508. */
export const maxPeerConnections = 64;
/** Milliseconds to establish a connection to a TCP peer, RFC 6062 §5.2. */
export const connectMilliseconds = 30_000;
/** Milliseconds to establish a connection to the HTTP backend of a listener. */
export const httpConnectMilliseconds = 5_000;
/** Milliseconds that a connection of a TCP peer waits for a client's, RFC 6062 §5.2. */
export const unboundConnectionMilliseconds = 30_000;
/**
 * Milliseconds without a byte after which one end of a stream, whose other end has closed, stops receiving the remaining
 * data.
 */
export const lingerMilliseconds = 30_000;
/** Milliseconds between two sweeps for what has expired. */
export const sweepMilliseconds = 1_000;
/** Milliseconds that the port after that of EVEN-PORT is held, RFC 8656 §7.2. */
export const reservationMilliseconds = 30_000;
/** Total number of ports held for reservations. */
export const maxReservations = 256;
/** Bytes of an unauthenticated answer over UDP for each byte of the request. */
export const amplification = 3;
