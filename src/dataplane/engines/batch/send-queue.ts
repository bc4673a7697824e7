/**
 * Datagrams that wait to be sent, as a list on each socket. One call sends everything that waits on a socket, and a burst
 * to one destination is one message that the kernel segments (UDP GSO).
 */
import type { WireAddress } from "../../../net/address.ts";
import type { Drops } from "../../flows.ts";
import { TX_ENTRIES, type Arena } from "./arena.ts";
import { NONE, type DatagramSocket } from "./datagram-socket.ts";
import { EAGAIN, EINTR, EINVAL, EIO, EMSGSIZE, type Sys } from "./sys.ts";

/** The kernel's limit for one message. */
const MAX_SEGMENTS = 64;
const MAX_MESSAGE_BYTES = 65_000;

export class SendQueue {
  readonly #sys: Sys;
  readonly #arena: Arena;
  readonly #drops: Drops;
  #entries = 0;
  /** Sockets with waiting datagrams. */
  readonly #waiting: DatagramSocket[] = [];
  /** Of each entry: the next one of its socket, the start and length of its bytes, and the destination. */
  readonly #next = new Int32Array(TX_ENTRIES);
  readonly #start = new Int32Array(TX_ENTRIES);
  readonly #length = new Int32Array(TX_ENTRIES);
  /** DSCP and ECN; 0 for the socket's default. */
  readonly #trafficClass = new Uint8Array(TX_ENTRIES);
  readonly #to: (WireAddress | undefined)[] = Array.from({ length: TX_ENTRIES }, () => undefined);
  /** Segments longer than this do not fit a packet of the network. */
  #maxSegmentBytes = 1472;

  constructor(sys: Sys, arena: Arena, drops: Drops) {
    this.#sys = sys;
    this.#arena = arena;
    this.#drops = drops;
  }

  get isFull(): boolean {
    return this.#entries === TX_ENTRIES;
  }

  /** Queues `length` bytes of the arena, from `start`, on the socket; there must be room. */
  add(socket: DatagramSocket, start: number, length: number, to: WireAddress, trafficClass: number): void {
    const entry = this.#entries++;
    this.#start[entry] = start;
    this.#length[entry] = length;
    this.#to[entry] = to;
    this.#trafficClass[entry] = trafficClass;
    this.#next[entry] = NONE;
    if (socket.head === NONE) {
      socket.head = entry;
      this.#waiting.push(socket);
    } else this.#next[socket.tail] = entry;
    socket.tail = entry;
  }

  /** Sends everything that waits. */
  flush(): void {
    for (let index = 0; index < this.#waiting.length; index++) {
      const socket = this.#waiting[index];
      if (socket !== undefined) this.send(socket);
    }
    this.#waiting.length = 0;
    this.#entries = 0;
  }

  /** Sends what waits on the socket. */
  send(socket: DatagramSocket): void {
    const arena = this.#arena;
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
      const trafficClass = this.#trafficClass[entry] ?? 0;
      arena.openMessage(messages, vectors, to, socket.family, trafficClass);
      let count = 0;
      let total = 0;
      // A burst to one destination; only its last segment may be shorter.
      for (;;) {
        const length = this.#length[entry] ?? 0;
        arena.setVector(vectors++, this.#start[entry] ?? 0, length);
        this.#to[entry] = undefined;
        count++;
        total += length;
        entry = this.#next[entry] ?? NONE;
        if (
          entry === NONE ||
          !socket.sendsRuns ||
          length < segmentBytes ||
          segmentBytes > this.#maxSegmentBytes ||
          segmentBytes === 0 ||
          this.#to[entry] !== to ||
          this.#trafficClass[entry] !== trafficClass ||
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

  /** As `send`, for a socket with one waiting datagram: a plain call costs the kernel less than a list of one. */
  #sendOne(socket: DatagramSocket, entry: number): void {
    const to = this.#to[entry];
    if (to === undefined) return;
    this.#to[entry] = undefined;
    const arena = this.#arena;
    const trafficClass = this.#trafficClass[entry] ?? 0;
    if (to.from !== undefined || trafficClass !== 0) {
      // Both need control messages, which a plain call does not have.
      arena.openMessage(0, 0, to, socket.family, trafficClass);
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
      this.#drops[error === EAGAIN ? "socket-backlog" : "unsendable"]++;
      return;
    }
  }

  #transmit(socket: DatagramSocket, messages: number): void {
    const drops = this.#drops;
    for (let sent = 0; sent < messages;) {
      const done = this.#sys.sendmmsg(socket.fd, this.#arena.txHeaders + sent * 64, messages - sent, 0);
      if (done > 0) {
        sent += done;
        continue;
      }
      const error = this.#sys.errno();
      if (error === EINTR) continue;
      if (error === EAGAIN) {
        for (; sent < messages; sent++) drops["socket-backlog"] += this.#arena.vectorsOf(sent);
        return;
      }
      const segments = this.#arena.vectorsOf(sent);
      if (segments > 1 && (error === EINVAL || error === EMSGSIZE || error === EIO)) this.#oneByOne(socket, sent);
      else drops["unsendable"] += segments;
      sent++;
    }
  }

  /**
   * The network rejects message `index` when segmented: each of its segments is sent separately, as is everything of this
   * size from now on.
   */
  #oneByOne(socket: DatagramSocket, index: number): void {
    this.#maxSegmentBytes = Math.min(this.#maxSegmentBytes, this.#arena.segmentBytesOf(index) - 1);
    const segments = this.#arena.vectorsOf(index);
    for (let segment = 0; segment < segments; segment++) {
      this.#arena.narrow(index, segment);
      if (this.#sys.sendmmsg(socket.fd, this.#arena.txHeaders + index * 64, 1, 0) < 1) this.#drops["unsendable"]++;
    }
  }
}
