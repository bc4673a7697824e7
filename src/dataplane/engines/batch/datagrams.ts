/**
 * Datagram sockets that are read and written many datagrams a system call. Each turn reads from the sockets into the arena
 * and passes every datagram to its socket's owner, which may forward it in place. Datagrams to send wait in the send queue
 * until the end of the turn. TCP connections of clients (`stream-socket.ts`) also run in these turns, and send from the
 * arena.
 */
import { familyOf, type WireAddress, type TransportAddress } from "../../../net/address.ts";
import { textOfBytes, type Family } from "../../../net/ip.ts";
import type { Drops } from "../../flows.ts";
import { Arena, EXTRA_SLOTS, MAX_DATAGRAM_BYTES, RX_SLOTS, SMALL_BYTES, SMALL_SLOTS } from "./arena.ts";
import { boundSocket, DatagramSocket, NONE, type DatagramSocketOptions } from "./datagram-socket.ts";
import { Loop } from "./loop.ts";
import { SendQueue } from "./send-queue.ts";
import { loadSys, MSG_TRUNC, type Sys } from "./sys.ts";

/** With fewer free slots than this, everything is sent first. */
const LOW_SLOTS = 32;

export interface DatagramsOptions {
  readonly drops: Drops;
  /** By descriptor, 1 for those that are open. */
  readonly descriptors?: Uint8Array | undefined;
  /** The thread has no other work: it may block while there is nothing to read. */
  readonly isOwnThread?: boolean;
  readonly isBusy?: (() => boolean) | undefined;
  readonly busyPollMs?: number | undefined;
}

/** A descriptor other than a datagram socket: a TCP connection, or a port that accepts them. */
export interface Readable {
  readonly fd: number;
  /** An event that it is watched for has occurred. */
  ready(): void;
  close(): void;
}

/** Sends what waits at the end of a turn. */
export interface Flushed {
  flush(): void;
}

const STREAM_BUFFER_BYTES = 1 << 16;

export class Datagrams {
  readonly arena: Arena;
  /** The arena's memory. */
  readonly bytes: Buffer;
  readonly #sys: Sys;
  readonly drops: Drops;
  readonly #descriptors: Uint8Array | undefined;
  readonly #loop: Loop;
  readonly #sockets: (DatagramSocket | undefined)[] = [];
  readonly #others: (Readable | undefined)[] = [];
  #toFlush: Flushed[] = [];
  /** Buffers in which streams read and gather; in use only during one call. */
  readonly input = Buffer.alloc(STREAM_BUFFER_BYTES);
  readonly output = Buffer.alloc(STREAM_BUFFER_BYTES);
  readonly inputAt: number;
  readonly outputAt: number;
  /** Number of receive slots in use: those before this one. */
  #used = 0;
  /** While received datagrams are processed: the end of their slots. A send in between must not release those slots. */
  #busyUntil = 0;
  /** Slots for other data, and small slots: each is a ring, with the number taken since everything was sent. */
  #extra = 0;
  #extraTaken = 0;
  #small = 0;
  #smallTaken = 0;
  readonly #queue: SendQueue;
  /** DSCP and ECN of the current datagram: a forwarded datagram has the same (RFC 8656 §13). 0 between datagrams. */
  #trafficClass = 0;
  #isFlushDue = false;
  /** Work to do at the end of the turn. */
  #handedUp: (() => void)[] = [];
  #isInTurn = false;

  /** @throws if this machine has no such calls; the message says why. */
  constructor({ drops, descriptors, isOwnThread = false, isBusy = () => false, busyPollMs }: DatagramsOptions) {
    this.#sys = loadSys();
    this.#descriptors = descriptors;
    this.drops = drops;
    this.arena = new Arena(this.#sys);
    this.bytes = this.arena.bytes;
    this.inputAt = this.#sys.addressOf(this.input);
    this.outputAt = this.#sys.addressOf(this.output);
    this.#queue = new SendQueue(this.#sys, this.arena, drops);
    this.#loop = new Loop(this.#sys, this.#read, this.#endTurn, {
      ownThread: isOwnThread ? { isBusy } : undefined,
      busyPollMs,
    });
  }

  /** @throws the error of the system call, with the address. */
  open(at: TransportAddress, options: DatagramSocketOptions): DatagramSocket {
    const family = familyOf(at.address);
    const fd = options.fd ?? boundSocket(this.#sys, at, options.bufferBytes, { runs: options.runs ?? true });
    const socket = new DatagramSocket(fd, family, options);
    if (socket.isOurs) this.own(fd, true);
    this.#loop.watch(fd);
    this.#sockets[fd] = socket;
    return socket;
  }

  /** Records whether a descriptor is ours to close. */
  own(fd: number, isOurs: boolean): void {
    if (this.#descriptors !== undefined) this.#descriptors[fd] = isOurs ? 1 : 0;
  }

  /** Watches `one` for the events of `now` instead of those of `before`; 0 for none. */
  want(one: Readable, before: number, now: number): void {
    this.#others[one.fd] = now === 0 ? undefined : one;
    if (before === 0) this.#loop.watch(one.fd, now);
    else if (now === 0) this.#loop.unwatch(one.fd);
    else this.#loop.rewatch(one.fd, now);
  }

  /** Forgets `one`, and leaves its descriptor to the caller. */
  forget(one: Readable): void {
    if (this.#others[one.fd] === one) this.want(one, -1, 0);
    this.own(one.fd, false);
  }

  /** Calls `one.flush()` when this turn ends, or before the memory of what it sends is reused. */
  flushLater(one: Flushed): void {
    this.#toFlush.push(one);
  }

  /** Position in the arena of bytes `start` to `end` of `bytes`, valid until everything is sent: in place, or as a copy. */
  placeOf(bytes: Buffer, start: number, end: number): number {
    if (bytes === this.bytes) return start;
    const at = this.#takeExtra();
    bytes.copy(this.bytes, at, start, end);
    // Outside a turn nothing else would send it.
    if (!this.#isFlushDue) queueMicrotask(this.flush);
    this.#isFlushDue = true;
    return at;
  }

  portOf(socket: DatagramSocket): number {
    return this.#sys.portOf(socket.fd);
  }

  kernelDropsOf(socket: DatagramSocket): number {
    return socket.isOpen ? this.#sys.dropsOf(socket.fd) : 0;
  }

  /** Our own address that the datagram in `slot` was sent to, as text; undefined if the socket has only one. */
  ownAddressOf(slot: number, family: Family): string | undefined {
    const at = this.arena.ownAddressAt(slot);
    return at < 0 ? undefined : textOfBytes(this.arena.bytesAt(at, family), 0, family === 4 ? 4 : 16);
  }

  /**
   * Runs `work` when this turn has sent what it forwards, or soon, outside of a turn. Owners use this for everything but
   * forwarding a packet.
   */
  handUp(work: () => void): void {
    if (this.#handedUp.push(work) === 1 && !this.#isInTurn) setImmediate(this.#doHandedUp);
  }

  readonly #doHandedUp = (): void => {
    const works = this.#handedUp;
    this.#handedUp = [];
    for (const work of works) work();
  };

  readonly #endTurn = (): void => {
    this.flush();
    this.#isInTurn = false;
    if (this.#handedUp.length === 0) return;
    this.#doHandedUp();
    this.flush();
  };

  /** Source address of the datagram in `slot`, as text. */
  sourceOf(slot: number, family: Family): string {
    return textOfBytes(this.arena.sourceBytes(slot, family), 0, family === 4 ? 4 : 16);
  }

  /** Forgets the socket, and leaves its descriptor to the caller. */
  releaseSocket(socket: DatagramSocket): number {
    // Datagrams that were queued before are still sent.
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
    this.own(socket.fd, false);
    this.#sys.close(socket.fd);
  }

  close(): void {
    for (const socket of this.#sockets) if (socket !== undefined) this.closeSocket(socket);
    for (const one of this.#others) one?.close();
    this.#loop.close();
  }

  readonly #read = (fd: number): void => {
    this.#isInTurn = true;
    const socket = this.#sockets[fd];
    if (socket === undefined) {
      this.#others[fd]?.ready();
      return;
    }
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
      this.#trafficClass = this.arena.trafficClassOf(slot);
      if ((this.arena.flagsOf(slot) & MSG_TRUNC) !== 0) this.drops["too-long"]++;
      else if (segment === 0 || end - start <= segment) socket.owner.take(slot, start, end);
      else this.#takeApart(socket, slot, start, end, segment);
      this.arena.rearm(slot);
    }
    this.#busyUntil = 0;
    this.#trafficClass = 0;
  };

  /** A slot for a datagram of any length. A slot that is in use when everything is sent is not reused at once. */
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
   * A message that the kernel coalesced (UDP GRO). All segments but the first need room before their data: they move. The
   * second one moves before the first is processed, because padding after the first would overwrite it.
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

  /**
   * Sets or clears the DF bit of everything that is sent from here on. The bit belongs to the socket: queued datagrams are
   * sent before the change.
   */
  setDontFragment(socket: DatagramSocket, dontFragment: boolean): void {
    if (!socket.isOpen) return;
    if (socket.head !== NONE) this.#queue.send(socket);
    this.#sys.dontFragment(socket.fd, socket.family, dontFragment);
    socket.setsDontFragment = dontFragment;
  }

  /** Sends bytes `start` to `end` of `bytes`: in place from the arena; anything else is copied. */
  send(socket: DatagramSocket, bytes: Buffer, start: number, end: number, to: WireAddress): void {
    if (!socket.isOpen) {
      this.drops["unsendable"]++;
      return;
    }
    const length = end - start;
    if (bytes !== this.bytes) {
      // From outside the arena: an answer of control, or data of a client that arrived over a stream.
      if (length > MAX_DATAGRAM_BYTES) {
        this.drops["too-long"]++;
        return;
      }
      start = this.placeOf(bytes, start, end);
    }
    if (this.#queue.isFull) this.flush();
    this.#queue.add(socket, start, length, to, this.#trafficClass);
  }

  /** Sends everything that waits; then all slots are free except those that are being processed. */
  readonly flush = (): void => {
    this.#queue.flush();
    const streams = this.#toFlush;
    if (streams.length > 0) {
      this.#toFlush = [];
      for (const one of streams) one.flush();
    }
    this.#used = this.#busyUntil;
    this.#extraTaken = 0;
    this.#smallTaken = 0;
    this.#isFlushDue = false;
  };
}
