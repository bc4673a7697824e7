/**
 * Datagram sockets that are read and written many datagrams a system call. Each turn reads what sockets have into the arena
 * and hands every datagram to its socket's owner, who may send it on from where it lies. What is sent waits in the send queue
 * until the end of the turn. TCP connections of clients (`stream-socket.ts`) have their turns, and send from the arena, here too.
 */
import { familyOf, type WireAddress, type TransportAddress } from "../../../net/address.ts";
import { textOfBytes, type Family } from "../../../net/ip.ts";
import type { Drops } from "../../flows.ts";
import { Arena, EXTRA_SLOTS, MAX_DATAGRAM_BYTES, RX_SLOTS, SMALL_BYTES, SMALL_SLOTS } from "./arena.ts";
import { boundSocket, DatagramSocket, NONE, type DatagramSocketOptions } from "./datagram-socket.ts";
import { Loop } from "./loop.ts";
import { SendQueue } from "./send-queue.ts";
import { loadSys, MSG_TRUNC, type Sys } from "./sys.ts";

/** With fewer free slots than this everything is sent first. */
const LOW_SLOTS = 32;

export interface DatagramsOptions {
  readonly drops: Drops;
  /** By descriptor, 1 for those that are open. */
  readonly descriptors?: Uint8Array | undefined;
  /** The thread has nothing else to do: it may stand still while there is nothing to read. */
  readonly isOwnThread?: boolean;
  readonly isBusy?: (() => boolean) | undefined;
}

/** A descriptor beside the datagram sockets: a TCP connection, or a port for them. */
export interface Readable {
  readonly fd: number;
  /** What it is watched for has come. */
  ready(): void;
  close(): void;
}

/** What waits to be sent at the end of a turn. */
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
  /** What streams read into, and gather in: in use during one call alone. */
  readonly input = Buffer.alloc(STREAM_BUFFER_BYTES);
  readonly output = Buffer.alloc(STREAM_BUFFER_BYTES);
  readonly inputAt: number;
  readonly outputAt: number;
  /** Slots in use of those that are received into: those before this. */
  #used = 0;
  /** While what was received is gone through: where that ends. A send in between must not give those slots away. */
  #busyUntil = 0;
  /** Slots for what comes from elsewhere, and small ones: each a ring, with how many were taken since all was sent. */
  #extra = 0;
  #extraTaken = 0;
  #small = 0;
  #smallTaken = 0;
  readonly #queue: SendQueue;
  /** Of the datagram in hand, DSCP and ECN: what is sent on has the same (RFC 8656 §13). 0 between datagrams. */
  #trafficClass = 0;
  #isFlushDue = false;
  /** What is done after the turn. */
  #handedUp: (() => void)[] = [];

  /** @throws where this machine has no such calls; the message says why. */
  constructor({ drops, descriptors, isOwnThread = false, isBusy = () => false }: DatagramsOptions) {
    this.#sys = loadSys();
    this.#descriptors = descriptors;
    this.drops = drops;
    this.arena = new Arena(this.#sys);
    this.bytes = this.arena.bytes;
    this.inputAt = this.#sys.addressOf(this.input);
    this.outputAt = this.#sys.addressOf(this.output);
    this.#queue = new SendQueue(this.#sys, this.arena, drops);
    this.#loop = new Loop(this.#sys, this.#read, this.flush, isOwnThread ? { isBusy } : undefined);
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

  /** Notes that a descriptor is ours to close, or no longer. */
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

  /** Is done with `one`, and leaves its descriptor to the caller. */
  forget(one: Readable): void {
    if (this.#others[one.fd] === one) this.want(one, -1, 0);
    this.own(one.fd, false);
  }

  /** Calls `one.flush()` when this turn ends, or before the memory of what it sends is used for something else. */
  flushLater(one: Flushed): void {
    this.#toFlush.push(one);
  }

  /** Where bytes `start` to `end` of `bytes` are in the arena until all is sent: where they lie, or a copy. */
  placeOf(bytes: Buffer, start: number, end: number): number {
    if (bytes === this.bytes) return start;
    const at = this.#takeExtra();
    bytes.copy(this.bytes, at, start, end);
    // Outside of a turn nobody else would send it.
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

  /** Our own address that what is in `slot` was sent to, as text; nothing where the socket has but one. */
  ownAddressOf(slot: number, family: Family): string | undefined {
    const at = this.arena.ownAddressAt(slot);
    return at < 0 ? undefined : textOfBytes(this.arena.bytesAt(at, family), 0, family === 4 ? 4 : 16);
  }

  /**
   * Does `work` soon after the turn. Owners hand up by this what is more than moving a packet: promises and ticks do not run
   * within a turn.
   */
  handUp(work: () => void): void {
    if (this.#handedUp.push(work) === 1) setImmediate(this.#doHandedUp);
  }

  readonly #doHandedUp = (): void => {
    const works = this.#handedUp;
    this.#handedUp = [];
    for (const work of works) work();
  };

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
    this.own(socket.fd, false);
    this.#sys.close(socket.fd);
  }

  close(): void {
    for (const socket of this.#sockets) if (socket !== undefined) this.closeSocket(socket);
    for (const one of this.#others) one?.close();
    this.#loop.close();
  }

  readonly #read = (fd: number): void => {
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
  setDontFragment(socket: DatagramSocket, dontFragment: boolean): void {
    if (!socket.isOpen) return;
    if (socket.head !== NONE) this.#queue.send(socket);
    this.#sys.dontFragment(socket.fd, socket.family, dontFragment);
    socket.setsDontFragment = dontFragment;
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
      start = this.placeOf(bytes, start, end);
    }
    if (this.#queue.isFull) this.flush();
    this.#queue.add(socket, start, length, to, this.#trafficClass);
  }

  /** Sends everything that waits; then all slots are free but those that are being gone through. */
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
