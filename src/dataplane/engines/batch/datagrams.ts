/**
 * Datagram sockets that are read and written many datagrams a system call. Each turn reads what sockets have into the arena
 * and hands every datagram to its socket's owner, who may send it on from where it lies. What is sent hangs on the socket
 * that it leaves by until the end of the turn; then each such socket is given all that hangs on it in one call, runs to one
 * destination as one message that the kernel cuts up (UDP GSO).
 */
import {
  familyOf,
  formatAddress,
  textOfBytes,
  type Endpoint,
  type Family,
  type TransportAddress,
} from "../../address.ts";
import type { Drops } from "../../flows.ts";
import { Arena, MAX_DATAGRAM_BYTES, RX_SLOTS, SLOTS } from "./arena.ts";
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
  /** A bound descriptor that is somebody else's to close; without one a socket is made. */
  readonly fd?: number;
  /** Takes what was received into `slot`: bytes `start` to `end` of the arena, there until this returns, or until it has left. */
  readonly take: (slot: number, start: number, end: number) => void;
}

/** A socket and the packets that wait to leave by it, as a list through the slots. */
export class DatagramSocket {
  readonly fd: number;
  readonly family: Family;
  readonly batch: number;
  readonly take: DatagramSocketOptions["take"];
  /** Whether it is ours to close. */
  readonly isOurs: boolean;
  head = NONE;
  tail = NONE;
  isOpen = true;

  constructor(fd: number, family: Family, { batch, take, fd: given }: DatagramSocketOptions) {
    this.isOurs = given === undefined;
    this.fd = fd;
    this.family = family;
    this.batch = batch;
    this.take = take;
  }
}

export interface DatagramsOptions {
  readonly drops: Drops;
  /** By descriptor, 1 for those that are open. */
  readonly descriptors?: Uint8Array | undefined;
  /** The thread has nothing else to do: it may stand still while there is nothing to read. */
  readonly isOwnThread?: boolean;
}

/** A descriptor that is bound. @throws the error of the system call, with the address. */
export const boundSocket = (sys: Sys, at: TransportAddress, bufferBytes: number, reusePort = false): number => {
  const fd = sys.socket(familyOf(at.address));
  try {
    if (reusePort) sys.reusePort(fd);
    sys.bind(fd, sockaddrOf(at));
    sys.enlarge(fd, bufferBytes);
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
  readonly #drops: Drops;
  readonly #descriptors: Uint8Array | undefined;
  readonly #loop: Loop;
  readonly #sockets: (DatagramSocket | undefined)[] = [];
  /** Slots in use of those that are received into: those before this. */
  #used = 0;
  /** While what was received is gone through: where that ends. A send in between must not give those slots away. */
  #busyUntil = 0;
  /** The next free one of the other slots. */
  #extra = RX_SLOTS;
  #isFlushDue = false;
  /** Sockets that something waits for. */
  readonly #waiting: DatagramSocket[] = [];
  /** By slot: the next one of its list, where its bytes start, how many there are, and where they go. */
  readonly #next = new Int32Array(SLOTS);
  readonly #start = new Int32Array(SLOTS);
  readonly #length = new Int32Array(SLOTS);
  readonly #to: (Endpoint | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  /** Segments longer than this do not fit a packet of the network. */
  #maxSegmentBytes = 1472;

  /** @throws where this machine has no such calls; the message says why. */
  constructor({ drops, descriptors, isOwnThread = false }: DatagramsOptions) {
    this.#sys = loadSys();
    this.#descriptors = descriptors;
    this.#drops = drops;
    this.arena = new Arena(this.#sys);
    this.bytes = this.arena.bytes;
    this.#loop = new Loop(this.#sys, this.#read, this.flush, isOwnThread);
  }

  /** @throws the error of the system call, with the address. */
  open(at: TransportAddress, options: DatagramSocketOptions): DatagramSocket {
    const family = familyOf(at.address);
    const fd = options.fd ?? boundSocket(this.#sys, at, options.bufferBytes);
    if (options.fd === undefined && this.#descriptors !== undefined) this.#descriptors[fd] = 1;
    this.#loop.watch(fd);
    const socket = new DatagramSocket(fd, family, options);
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

  /** Source address of what is in `slot`, as text. */
  sourceOf(slot: number, family: Family): string {
    return textOfBytes(this.arena.sourceBytes(slot, family), 0, family === 4 ? 4 : 16);
  }

  closeSocket(socket: DatagramSocket): void {
    if (!socket.isOpen) return;
    // What was handed over before it was closed still leaves.
    this.flush();
    socket.isOpen = false;
    this.#loop.unwatch(socket.fd);
    this.#sockets[socket.fd] = undefined;
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
    const wanted = Math.min(socket.batch, RX_SLOTS - first);
    const count = this.#sys.recvmmsg(fd, this.arena.rxHeader(first), wanted, 0, null);
    if (count <= 0) return;
    this.#used = this.#busyUntil = first + count;
    for (let slot = first; slot < first + count; slot++) {
      const start = this.arena.dataOf(slot);
      if ((this.arena.flagsOf(slot) & MSG_TRUNC) !== 0) this.#drops["too-long"]++;
      else socket.take(slot, start, start + this.arena.lengthOf(slot));
      this.arena.rearm(slot);
    }
    this.#busyUntil = 0;
  };

  /** Sends bytes `start` to `end` of `bytes`: the arena, from where they lie, or anything else, which is copied. */
  send(socket: DatagramSocket, bytes: Buffer, start: number, end: number, to: Endpoint): void {
    if (!socket.isOpen) return;
    const length = end - start;
    let slot: number;
    if (bytes === this.bytes) slot = this.arena.slotAt(start);
    else {
      // From outside: an answer of control, or of a client that came over a stream.
      if (length > MAX_DATAGRAM_BYTES) {
        this.#drops["too-long"]++;
        return;
      }
      if (this.#extra === SLOTS) this.flush();
      slot = this.#extra++;
      bytes.copy(this.bytes, this.arena.dataOf(slot), start, end);
      start = this.arena.dataOf(slot);
      // Outside of a turn nobody else would send it.
      if (!this.#isFlushDue) queueMicrotask(this.flush);
      this.#isFlushDue = true;
    }
    this.#start[slot] = start;
    this.#length[slot] = length;
    this.#to[slot] = to;
    this.#next[slot] = NONE;
    if (socket.head === NONE) {
      socket.head = slot;
      this.#waiting.push(socket);
    } else this.#next[socket.tail] = slot;
    socket.tail = slot;
  }

  /** Sends everything that waits; then all slots are free but those that are being gone through. */
  readonly flush = (): void => {
    for (let index = 0; index < this.#waiting.length; index++) {
      const socket = this.#waiting[index];
      if (socket !== undefined) this.#sendAll(socket);
    }
    this.#waiting.length = 0;
    this.#used = this.#busyUntil;
    this.#extra = RX_SLOTS;
    this.#isFlushDue = false;
  };

  #sendAll(socket: DatagramSocket): void {
    const arena = this.arena;
    let messages = 0;
    let vectors = 0;
    let slot = socket.head;
    socket.head = NONE;
    socket.tail = NONE;
    while (slot !== NONE) {
      const to = this.#to[slot];
      const segmentBytes = this.#length[slot] ?? 0;
      if (to === undefined) break;
      arena.openMessage(messages, vectors, to, socket.family);
      let count = 0;
      let total = 0;
      // A run to one destination; only its last segment may be shorter.
      for (;;) {
        const length = this.#length[slot] ?? 0;
        arena.setVector(vectors++, this.#start[slot] ?? 0, length);
        this.#to[slot] = undefined;
        count++;
        total += length;
        slot = this.#next[slot] ?? NONE;
        if (
          slot === NONE ||
          length < segmentBytes ||
          segmentBytes > this.#maxSegmentBytes ||
          segmentBytes === 0 ||
          this.#to[slot] !== to ||
          (this.#length[slot] ?? 0) > segmentBytes ||
          (this.#length[slot] ?? 0) === 0 ||
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

  #transmit(socket: DatagramSocket, messages: number): void {
    const drops = this.#drops;
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
      if (this.#sys.sendmmsg(socket.fd, this.arena.txHeaders + index * 64, 1, 0) < 1) this.#drops["unsendable"]++;
    }
  }
}
