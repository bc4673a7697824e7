/**
 * Datagram sockets that are read and written many datagrams a system call. Each turn reads what sockets have into the arena
 * and hands every datagram to its socket's owner, who may send it on from where it lies. What is sent hangs on the socket
 * that it leaves by until the end of the turn; then each such socket is given all that hangs on it in one call, runs to one
 * destination as one message that the kernel cuts up (UDP GSO).
 */
import { familyOf, formatAddress, isWildcard, type WireAddress, type TransportAddress } from "../../../net/address.ts";
import { textOfBytes, type Family } from "../../../net/ip.ts";
import type { Drops } from "../../flows.ts";
import { Arena, EXTRA_SLOTS, MAX_DATAGRAM_BYTES, RX_SLOTS, SMALL_BYTES, SMALL_SLOTS, TX_ENTRIES } from "./arena.ts";
import { Loop } from "./loop.ts";
import { sockaddrOf } from "./sockaddr.ts";
import { EAGAIN, EINTR, EINVAL, EIO, EMSGSIZE, loadSys, MSG_TRUNC, type Sys } from "./sys.ts";

/** With fewer free slots than this everything is sent first. */
const LOW_SLOTS = 32;
/** What the kernel takes in one message. */
const MAX_SEGMENTS = 64;
const MAX_MESSAGE_BYTES = 65_000;
const NONE = -1;

export interface DatagramSocketOptions {
  readonly bufferBytes: number;
  /** Datagrams that are asked for at once. */
  readonly batch: number;
  /** A bound descriptor; without one a socket is made. */
  readonly fd?: number;
  /** Whether `fd` is ours to close; if not, somebody else's. A socket that is made is ours. */
  readonly isOurs?: boolean;
  readonly owner: DatagramOwner;
}

export interface DatagramOwner {
  /**
   * Takes a datagram: bytes `start` to `end` of the arena, there until this returns, or until it has left. Its source is that
   * of `slot`.
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
  /** Whether it is ours to close. */
  readonly isOurs: boolean;
  head = NONE;
  tail = NONE;
  isOpen = true;
  /** Whether what is sent has the DF bit set. */
  setsDontFragment = false;

  constructor(fd: number, family: Family, { batch, owner, fd: given, isOurs }: DatagramSocketOptions) {
    this.isOurs = isOurs ?? given === undefined;
    this.fd = fd;
    this.family = family;
    this.batch = batch;
    this.owner = owner;
  }
}

export interface DatagramsOptions {
  readonly drops: Drops;
  /** By descriptor, 1 for those that are open. */
  readonly descriptors?: Uint8Array | undefined;
  /** The thread has nothing else to do: it may stand still while there is nothing to read. */
  readonly isOwnThread?: boolean;
  readonly isBusy?: (() => boolean) | undefined;
}

/** A descriptor that is bound. @throws the error of the system call, with the address. */
export const boundSocket = (sys: Sys, at: TransportAddress, bufferBytes: number, reusePort = false): number => {
  const family = familyOf(at.address);
  const fd = sys.socket(family);
  try {
    if (reusePort) sys.reusePort(fd);
    // Or answers would come from whichever address the route back has.
    if (isWildcard(at.address)) sys.ownAddresses(fd, family);
    sys.bind(fd, sockaddrOf(at));
    sys.enlarge(fd, bufferBytes);
    sys.coalesce(fd);
    return fd;
  } catch (error) {
    sys.close(fd);
    if (error instanceof Error) error.message += ` ${formatAddress(at.address, at.port)}`;
    throw error;
  }
};

export class Datagrams {
  readonly arena: Arena;
  /** The arena's memory. */
  readonly bytes: Buffer;
  readonly #sys: Sys;
  readonly drops: Drops;
  readonly #descriptors: Uint8Array | undefined;
  readonly #loop: Loop;
  readonly #sockets: (DatagramSocket | undefined)[] = [];
  /** Slots in use of those that are received into: those before this. */
  #used = 0;
  /** While what was received is gone through: where that ends. A send in between must not give those slots away. */
  #busyUntil = 0;
  /** Slots for what comes from elsewhere, and small ones: each a ring, with how many were taken since all was sent. */
  #extra = 0;
  #extraTaken = 0;
  #small = 0;
  #smallTaken = 0;
  /** Datagrams that wait to be sent. */
  #entries = 0;
  #isFlushDue = false;
  /** Sockets that something waits for. */
  readonly #waiting: DatagramSocket[] = [];
  /** Of each of them: the next one of its socket, where its bytes start, how many there are, and where they go. */
  readonly #next = new Int32Array(TX_ENTRIES);
  readonly #start = new Int32Array(TX_ENTRIES);
  readonly #length = new Int32Array(TX_ENTRIES);
  readonly #to: (WireAddress | undefined)[] = Array.from({ length: TX_ENTRIES }, () => undefined);
  /** Segments longer than this do not fit a packet of the network. */
  #maxSegmentBytes = 1472;

  /** @throws where this machine has no such calls; the message says why. */
  constructor({ drops, descriptors, isOwnThread = false, isBusy = () => false }: DatagramsOptions) {
    this.#sys = loadSys();
    this.#descriptors = descriptors;
    this.drops = drops;
    this.arena = new Arena(this.#sys);
    this.bytes = this.arena.bytes;
    this.#loop = new Loop(this.#sys, this.#read, this.flush, isOwnThread ? { isBusy } : undefined);
  }

  /** @throws the error of the system call, with the address. */
  open(at: TransportAddress, options: DatagramSocketOptions): DatagramSocket {
    const family = familyOf(at.address);
    const fd = options.fd ?? boundSocket(this.#sys, at, options.bufferBytes);
    const socket = new DatagramSocket(fd, family, options);
    if (socket.isOurs && this.#descriptors !== undefined) this.#descriptors[fd] = 1;
    this.#loop.watch(fd);
    this.#sockets[fd] = socket;
    return socket;
  }

  /** Wakes the thread, should it stand still. */
  get wakeFd(): number {
    return this.#loop.wakeFd;
  }

  portOf(socket: DatagramSocket): number {
    return this.#sys.portOf(socket.fd);
  }

  kernelDropsOf(socket: DatagramSocket): number {
    return socket.isOpen ? this.#sys.dropsOf(socket.fd) : 0;
  }

  /** Our own address that what is in `slot` was sent to, as text; nothing where the socket has but one. */
  ownAddressOf(slot: number, family: Family): string | undefined {
    const at = this.arena.ownAddressAt(slot);
    return at < 0 ? undefined : textOfBytes(this.arena.bytesAt(at, family), 0, family === 4 ? 4 : 16);
  }

  /** Source address of what is in `slot`, as text. */
  sourceOf(slot: number, family: Family): string {
    return textOfBytes(this.arena.sourceBytes(slot, family), 0, family === 4 ? 4 : 16);
  }

  /** Is done with the socket, and leaves its descriptor to the caller. */
  releaseSocket(socket: DatagramSocket): number {
    // What was handed over before still leaves.
    this.flush();
    socket.isOpen = false;
    this.#loop.unwatch(socket.fd);
    this.#sockets[socket.fd] = undefined;
    return socket.fd;
  }

  closeSocket(socket: DatagramSocket): void {
    if (!socket.isOpen) return;
    this.releaseSocket(socket);
    if (!socket.isOurs) return;
    if (this.#descriptors !== undefined) this.#descriptors[socket.fd] = 0;
    this.#sys.close(socket.fd);
  }

  close(): void {
    for (const socket of this.#sockets) if (socket !== undefined) this.closeSocket(socket);
    this.#loop.close();
  }

  readonly #read = (fd: number): void => {
    const socket = this.#sockets[fd];
    if (socket === undefined) return;
    if (RX_SLOTS - this.#used < LOW_SLOTS) this.flush();
    const first = this.#used;
    const wanted = Math.min(socket.wanted, RX_SLOTS - first);
    const count = this.#sys.recvmmsg(fd, this.arena.rxHeader(first), wanted, 0, null);
    if (count <= 0) return;
    socket.wanted = count < wanted ? count : Math.min(socket.batch, wanted * 4);
    this.#used = this.#busyUntil = first + count;
    for (let slot = first; slot < first + count; slot++) {
      const start = this.arena.dataOf(slot);
      const end = start + this.arena.lengthOf(slot);
      const segment = this.arena.segmentOf(slot);
      if ((this.arena.flagsOf(slot) & MSG_TRUNC) !== 0) this.drops["too-long"]++;
      else if (segment === 0 || end - start <= segment) socket.owner.take(slot, start, end);
      else this.#takeApart(socket, slot, start, end, segment);
      this.arena.rearm(slot);
    }
    this.#busyUntil = 0;
  };

  /** Where a datagram of any length can be put. One that is in hand when all is sent is not given away at once. */
  #takeExtra(): number {
    if (this.#extraTaken >= EXTRA_SLOTS - 1) this.flush();
    this.#extraTaken++;
    this.#extra = (this.#extra + 1) % EXTRA_SLOTS;
    return this.arena.dataOf(RX_SLOTS + this.#extra);
  }

  #takeSmall(): number {
    if (this.#smallTaken >= SMALL_SLOTS - 1) this.flush();
    this.#smallTaken++;
    this.#small = (this.#small + 1) % SMALL_SLOTS;
    return this.arena.smallDataOf(this.#small);
  }

  /**
   * A run that the kernel had put together (UDP GRO). All but the first need room in front of them: they move. The second does
   * so before the first is taken, as what is put behind that one, padding, would be put over it.
   */
  #takeApart(socket: DatagramSocket, slot: number, start: number, end: number, segment: number): void {
    const second = start + segment;
    for (let from = second; from < end; from += segment) {
      const to = Math.min(from + segment, end);
      const at = segment <= SMALL_BYTES ? this.#takeSmall() : this.#takeExtra();
      this.bytes.copyWithin(at, from, to);
      if (from === second) socket.owner.take(slot, start, second);
      socket.owner.take(slot, at, at + to - from);
    }
  }

  /** What is sent from here on has the DF bit set, or not. It is the socket's: what hangs on it leaves before. */
  setDontFragment(socket: DatagramSocket, whole: boolean): void {
    if (!socket.isOpen) return;
    if (socket.head !== NONE) this.#sendAll(socket);
    this.#sys.dontFragment(socket.fd, socket.family, whole);
    socket.setsDontFragment = whole;
  }

  /** Sends bytes `start` to `end` of `bytes`: the arena, from where they lie, or anything else, which is copied. */
  send(socket: DatagramSocket, bytes: Buffer, start: number, end: number, to: WireAddress): void {
    if (!socket.isOpen) {
      this.drops["unsendable"]++;
      return;
    }
    const length = end - start;
    if (bytes !== this.bytes) {
      // From outside: an answer of control, or of a client that came over a stream.
      if (length > MAX_DATAGRAM_BYTES) {
        this.drops["too-long"]++;
        return;
      }
      const at = this.#takeExtra();
      bytes.copy(this.bytes, at, start, end);
      start = at;
      // Outside of a turn nobody else would send it.
      if (!this.#isFlushDue) queueMicrotask(this.flush);
      this.#isFlushDue = true;
    }
    if (this.#entries === TX_ENTRIES) this.flush();
    const entry = this.#entries++;
    this.#start[entry] = start;
    this.#length[entry] = length;
    this.#to[entry] = to;
    this.#next[entry] = NONE;
    if (socket.head === NONE) {
      socket.head = entry;
      this.#waiting.push(socket);
    } else this.#next[socket.tail] = entry;
    socket.tail = entry;
  }

  /** Sends everything that waits; then all slots are free but those that are being gone through. */
  readonly flush = (): void => {
    for (let index = 0; index < this.#waiting.length; index++) {
      const socket = this.#waiting[index];
      if (socket !== undefined) this.#sendAll(socket);
    }
    this.#waiting.length = 0;
    this.#used = this.#busyUntil;
    this.#extraTaken = 0;
    this.#smallTaken = 0;
    this.#entries = 0;
    this.#isFlushDue = false;
  };

  #sendAll(socket: DatagramSocket): void {
    const arena = this.arena;
    let messages = 0;
    let vectors = 0;
    let entry = socket.head;
    const isOne = entry === socket.tail;
    socket.head = NONE;
    socket.tail = NONE;
    if (isOne) return this.#sendOne(socket, entry);
    while (entry !== NONE) {
      const to = this.#to[entry];
      const segmentBytes = this.#length[entry] ?? 0;
      if (to === undefined) break;
      arena.openMessage(messages, vectors, to, socket.family);
      let count = 0;
      let total = 0;
      // A run to one destination; only its last segment may be shorter.
      for (;;) {
        const length = this.#length[entry] ?? 0;
        arena.setVector(vectors++, this.#start[entry] ?? 0, length);
        this.#to[entry] = undefined;
        count++;
        total += length;
        entry = this.#next[entry] ?? NONE;
        if (
          entry === NONE ||
          length < segmentBytes ||
          segmentBytes > this.#maxSegmentBytes ||
          segmentBytes === 0 ||
          this.#to[entry] !== to ||
          (this.#length[entry] ?? 0) > segmentBytes ||
          (this.#length[entry] ?? 0) === 0 ||
          count === MAX_SEGMENTS ||
          total + segmentBytes > MAX_MESSAGE_BYTES
        )
          break;
      }
      arena.closeMessage(messages, count, segmentBytes);
      messages++;
    }
    this.#transmit(socket, messages);
  }

  /** As `#sendAll`, for a socket that one datagram hangs on: a plain call costs the kernel less than a list of one. */
  #sendOne(socket: DatagramSocket, entry: number): void {
    const to = this.#to[entry];
    if (to === undefined) return;
    this.#to[entry] = undefined;
    const { arena } = this;
    if (to.from !== undefined) {
      // Where it comes from is said by a control message, which a plain call has not.
      arena.openMessage(0, 0, to, socket.family);
      arena.setVector(0, this.#start[entry] ?? 0, this.#length[entry] ?? 0);
      arena.closeMessage(0, 1, 0);
      this.#transmit(socket, 1);
      return;
    }
    const nameLength = arena.name(0, to, socket.family);
    const start = arena.base + (this.#start[entry] ?? 0);
    const length = this.#length[entry] ?? 0;
    for (;;) {
      if (this.#sys.sendto(socket.fd, start, length, 0, arena.firstName, nameLength) >= 0) return;
      const error = this.#sys.errno();
      if (error === EINTR) continue;
      this.drops[error === EAGAIN ? "socket-backlog" : "unsendable"]++;
      return;
    }
  }

  #transmit(socket: DatagramSocket, messages: number): void {
    const { drops } = this;
    for (let sent = 0; sent < messages;) {
      const done = this.#sys.sendmmsg(socket.fd, this.arena.txHeaders + sent * 64, messages - sent, 0);
      if (done > 0) {
        sent += done;
        continue;
      }
      const error = this.#sys.errno();
      if (error === EINTR) continue;
      if (error === EAGAIN) {
        for (; sent < messages; sent++) drops["socket-backlog"] += this.arena.vectorsOf(sent);
        return;
      }
      const segments = this.arena.vectorsOf(sent);
      if (segments > 1 && (error === EINVAL || error === EMSGSIZE || error === EIO)) this.#oneByOne(socket, sent);
      else drops["unsendable"] += segments;
      sent++;
    }
  }

  /** The network does not take message `index` cut up: each of its segments goes by itself, as do all of this size from now on. */
  #oneByOne(socket: DatagramSocket, index: number): void {
    this.#maxSegmentBytes = Math.min(this.#maxSegmentBytes, this.arena.segmentBytesOf(index) - 1);
    const segments = this.arena.vectorsOf(index);
    for (let segment = 0; segment < segments; segment++) {
      this.arena.narrow(index, segment);
      if (this.#sys.sendmmsg(socket.fd, this.arena.txHeaders + index * 64, 1, 0) < 1) this.drops["unsendable"]++;
    }
  }
}
