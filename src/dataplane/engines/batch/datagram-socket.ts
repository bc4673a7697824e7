/** A datagram socket of the batch engine, and who takes what it receives. */
import { familyOf, isWildcard, type TransportAddress } from "../../../net/address.ts";
import type { Family } from "../../../net/ip.ts";
import { bound } from "./sockaddr.ts";
import type { Sys } from "./sys.ts";

/** No entry of the send queue. */
export const NONE = -1;

export interface DatagramSocketOptions {
  readonly bufferBytes: number;
  /** Datagrams that are asked for at once. */
  readonly batch: number;
  /**
   * Whether datagrams to one destination may go to the kernel, and come from it, in one piece (UDP GSO and GRO): true unless
   * given. A descriptor that is given receives as whoever bound it said.
   */
  readonly runs?: boolean;
  /** A bound descriptor; without one a socket is made. */
  readonly fd?: number;
  /** Whether `fd` is ours to close; if not, another owner closes it. A socket that is made is ours. */
  readonly isOurs?: boolean;
  readonly owner: DatagramOwner;
}

export interface DatagramOwner {
  /**
   * Takes a datagram: bytes `start` to `end` of the arena, there until this returns, or until it has left. Its source is that
   * of `slot`. It only moves packets: everything else goes through `Datagrams.handUp`.
   */
  take(slot: number, start: number, end: number): void;
}

/** A socket and the datagrams that wait to leave by it, as a list. */
export class DatagramSocket {
  readonly fd: number;
  readonly family: Family;
  readonly batch: number;
  /** Datagrams that are asked for next: few where few came, as to ask for one that is not there costs nearly a receive. */
  wanted = 1;
  readonly owner: DatagramOwner;
  /** Whether datagrams to one destination are sent in one piece. */
  readonly sendsRuns: boolean;
  /** Whether it is ours to close. */
  readonly isOurs: boolean;
  head = NONE;
  tail = NONE;
  isOpen = true;
  /** Whether what is sent has the DF bit set. */
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
      // Or answers would come from whichever address the route back has.
      if (isWildcard(at.address)) sys.ownAddresses(fd, family);
    },
    () => {
      sys.enlarge(fd, bufferBytes);
      sys.trafficClasses(fd, family);
      if (runs) sys.coalesce(fd);
    },
  );
};
