/** A datagram socket of the batch engine, and the receiver of its datagrams. */
import { familyOf, isWildcard, type TransportAddress } from "../../../net/address.ts";
import type { Family } from "../../../net/ip.ts";
import { bound } from "./sockaddr.ts";
import type { Sys } from "./sys.ts";

/** Marks the end of a list in the send queue. */
export const NONE = -1;

export interface DatagramSocketOptions {
  readonly bufferBytes: number;
  /** Maximum number of datagrams in one receive call. */
  readonly batch: number;
  /**
   * Whether the kernel may segment sent and coalesce received datagrams (UDP GSO and GRO); true by default. A descriptor
   * that is passed in receives as it was configured when it was bound.
   */
  readonly runs?: boolean;
  /** A bound descriptor; without one a socket is made. */
  readonly fd?: number;
  /** Whether to close `fd`; if false, another owner closes it. A socket that is made here is always closed. */
  readonly isOurs?: boolean;
  readonly owner: DatagramOwner;
}

export interface DatagramOwner {
  /**
   * Receives a datagram: bytes `start` to `end` of the arena, valid until this returns, or until the datagram has been
   * sent. Its source is that of `slot`. It only forwards packets: everything else goes through `Datagrams.handUp`.
   */
  take(slot: number, start: number, end: number): void;
}

/** A socket and the list of datagrams that wait to be sent from it. */
export class DatagramSocket {
  readonly fd: number;
  readonly family: Family;
  readonly batch: number;
  /**
   * Number of datagrams that the next call asks for: few if few arrived, because asking for a missing one costs nearly as
   * much as a receive.
   */
  wanted = 1;
  readonly owner: DatagramOwner;
  /** Whether datagrams to one destination are sent in one piece. */
  readonly sendsRuns: boolean;
  /** Whether to close the descriptor. */
  readonly isOurs: boolean;
  head = NONE;
  tail = NONE;
  isOpen = true;
  /** Whether sent datagrams have the DF bit set. */
  setsDontFragment = false;

  constructor(fd: number, family: Family, { batch, owner, runs, fd: given, isOurs }: DatagramSocketOptions) {
    this.isOurs = isOurs ?? given === undefined;
    this.sendsRuns = runs ?? true;
    this.fd = fd;
    this.family = family;
    this.batch = batch;
    this.owner = owner;
  }
}

/** A descriptor that is bound. @throws the error of the system call, with the address. */
export const boundSocket = (
  sys: Sys,
  at: TransportAddress,
  bufferBytes: number,
  { reusePort = false, runs = true }: { readonly reusePort?: boolean; readonly runs?: boolean } = {},
): number => {
  const family = familyOf(at.address);
  const fd = sys.socket(family);
  return bound(
    sys,
    fd,
    at,
    () => {
      if (reusePort) sys.reusePort(fd);
      // Otherwise answers would have the source address that the route selects.
      if (isWildcard(at.address)) sys.ownAddresses(fd, family);
    },
    () => {
      sys.enlarge(fd, bufferBytes);
      sys.trafficClasses(fd, family);
      if (runs) sys.coalesce(fd);
    },
  );
};
