/**
 * The engine for Linux: many datagrams a system call. Each turn reads what sockets have into the arena, takes every packet
 * across where it lies, and hangs it on the socket that it leaves by; at the end of the turn each such socket is given all
 * that hangs on it in one call, runs to one destination as one message that the kernel cuts up (UDP GSO).
 */
import {
  familyOf,
  formatAddress,
  textOfBytes,
  type Endpoint,
  type Family,
  type TransportAddress,
} from "../../address.ts";
import { FlowTable, type Flow, type RelayPort, type Traffic } from "../../flows.ts";
import type { RelayAddress } from "../../placement.ts";
import type { ClientPort, ClientPortOwner, Engine, EngineOptions } from "../engine.ts";
import { fromClient, isSendIndication, peerDataOut } from "../forward.ts";
import { Arena, IPV4_MARK, MAX_DATAGRAM_BYTES, RX_SLOTS, SLOTS } from "./arena.ts";
import { Loop } from "./loop.ts";
import { sockaddrOf } from "./sockaddr.ts";
import { EAGAIN, EINTR, EINVAL, EIO, EMSGSIZE, loadSys, MSG_TRUNC, type Sys } from "./sys.ts";

/** Datagrams that are asked for at once: of clients all come by one socket, of peers each allocation has its own. */
const CLIENT_BATCH = 256;
const RELAY_BATCH = 32;
/** With fewer free slots than this everything is sent first. */
const LOW_SLOTS = RELAY_BATCH;
const CLIENT_BUFFER_BYTES = 4 << 20;
const RELAY_BUFFER_BYTES = 1 << 20;
/** What the kernel takes in one message. */
const MAX_SEGMENTS = 64;
const MAX_MESSAGE_BYTES = 65_000;
const NONE = -1;

/** A socket and the packets that wait to leave by it, as a list through the slots. */
class BatchSocket {
  readonly fd: number;
  readonly family: Family;
  head = NONE;
  tail = NONE;
  isOpen = true;
  /** Of clients. */
  flows: FlowTable | undefined;
  traffic: Traffic | undefined;
  owner: ClientPortOwner | undefined;
  /** Of a relayed transport address. */
  flow: Flow | undefined;

  constructor(fd: number, family: Family) {
    this.fd = fd;
    this.family = family;
  }
}

class BatchEngine implements Engine {
  readonly #sys: Sys;
  readonly #options: EngineOptions;
  readonly #arena: Arena;
  readonly #bytes: Buffer;
  readonly #loop: Loop;
  readonly #sockets: (BatchSocket | undefined)[] = [];
  /** Slots in use of those that are received into: those before this. */
  #used = 0;
  /** While what was received is gone through: where that ends. A send in between must not give those slots away. */
  #busyUntil = 0;
  /** The next free one of the other slots. */
  #extra = RX_SLOTS;
  #isFlushDue = false;
  /** Sockets that something waits for. */
  readonly #waiting: BatchSocket[] = [];
  /** By slot: the next one of its list, where its bytes start, how many there are, and where they go. */
  readonly #next = new Int32Array(SLOTS);
  readonly #start = new Int32Array(SLOTS);
  readonly #length = new Int32Array(SLOTS);
  readonly #to: (Endpoint | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  /** Segments longer than this do not fit a packet of the network. */
  #maxSegmentBytes = 1472;

  constructor(options: EngineOptions) {
    this.#sys = loadSys();
    this.#options = options;
    this.#arena = new Arena(this.#sys);
    this.#bytes = this.#arena.bytes;
    this.#loop = new Loop(this.#sys, this.#read, this.#flush);
  }

  // oxlint-disable-next-line require-await -- what throws must reject
  async listen(at: TransportAddress, traffic: Traffic, owner: ClientPortOwner): Promise<ClientPort> {
    const socket = this.#open(at, CLIENT_BUFFER_BYTES, this.#options.reusePort === true);
    const flows = new FlowTable();
    socket.flows = flows;
    socket.traffic = traffic;
    socket.owner = owner;
    return {
      at: { address: at.address, port: this.#sys.portOf(socket.fd) },
      flows,
      send: (bytes, start, end, to) => this.#send(socket, bytes, start, end, to),
      kernelDrops: () => (socket.isOpen ? this.#sys.dropsOf(socket.fd) : 0),
      close: () => Promise.resolve(this.#close(socket)),
    };
  }

  // oxlint-disable-next-line require-await -- what throws must reject
  async relay({ bind, told }: RelayAddress, port: number): Promise<RelayPort> {
    const socket = this.#open({ address: bind, port }, RELAY_BUFFER_BYTES, false);
    return {
      family: familyOf(told),
      address: told,
      port: this.#sys.portOf(socket.fd),
      attach: (flow) => void (socket.flow = flow),
      send: (bytes, start, end, peer) => this.#send(socket, bytes, start, end, peer),
      close: () => this.#close(socket),
    };
  }

  close(): void {
    for (const socket of this.#sockets) if (socket !== undefined) this.#close(socket);
    this.#loop.close();
  }

  #open(at: TransportAddress, bufferBytes: number, reusePort: boolean): BatchSocket {
    const family = familyOf(at.address);
    const fd = this.#sys.socket(family);
    try {
      if (reusePort) this.#sys.reusePort(fd);
      this.#sys.bind(fd, sockaddrOf(at));
      this.#sys.enlarge(fd, bufferBytes);
      this.#loop.watch(fd);
    } catch (error) {
      this.#sys.close(fd);
      if (error instanceof Error) error.message += ` ${formatAddress(at.address, at.port)}`;
      throw error;
    }
    const socket = new BatchSocket(fd, family);
    this.#sockets[fd] = socket;
    return socket;
  }

  #close(socket: BatchSocket): void {
    if (!socket.isOpen) return;
    // What was handed over before it was closed still leaves.
    this.#flush();
    socket.isOpen = false;
    this.#loop.unwatch(socket.fd);
    this.#sockets[socket.fd] = undefined;
    this.#sys.close(socket.fd);
  }

  readonly #read = (fd: number): void => {
    const socket = this.#sockets[fd];
    if (socket === undefined) return;
    if (RX_SLOTS - this.#used < LOW_SLOTS) this.#flush();
    const first = this.#used;
    const wanted = Math.min(socket.flows === undefined ? RELAY_BATCH : CLIENT_BATCH, RX_SLOTS - first);
    const count = this.#sys.recvmmsg(fd, this.#arena.rxHeader(first), wanted, 0, null);
    if (count <= 0) return;
    this.#used = this.#busyUntil = first + count;
    for (let slot = first; slot < first + count; slot++) {
      const start = this.#arena.dataOf(slot);
      const end = start + this.#arena.lengthOf(slot);
      const isWhole = (this.#arena.flagsOf(slot) & MSG_TRUNC) === 0;
      if (!isWhole) this.#options.drops["too-long"]++;
      else if (socket.flow !== undefined) this.#fromPeer(socket, socket.flow, slot, start, end);
      else if (socket.flows !== undefined) this.#fromClient(socket, socket.flows, slot, start, end);
      this.#arena.rearm(slot);
    }
    this.#busyUntil = 0;
  };

  #fromPeer(socket: BatchSocket, flow: Flow, slot: number, start: number, end: number): void {
    const arena = this.#arena;
    const port = arena.sourcePort(slot);
    const known =
      socket.family === 4
        ? flow.peerByWords(0, 0, IPV4_MARK, arena.sourceWord(slot, 1), port)
        : flow.peerByWords(
            arena.sourceWord(slot, 2),
            arena.sourceWord(slot, 3),
            arena.sourceWord(slot, 4),
            arena.sourceWord(slot, 5),
            port,
          );
    // One that was not seen before: a permission for its address may stand.
    const peer = known ?? flow.peer(this.#sourceOf(slot, socket.family), port);
    peerDataOut(flow, peer, this.#bytes, start, end);
  }

  #fromClient(socket: BatchSocket, flows: FlowTable, slot: number, start: number, end: number): void {
    const bytes = this.#bytes;
    const arena = this.#arena;
    const first = end > start ? (bytes[start] ?? 0xff) : 0xff;
    const port = arena.sourcePort(slot);
    // Nothing can be sent to port 0, which a forged source may have.
    if (first > 0x7f || (first > 3 && first < 0x40) || port === 0) {
      this.#options.drops["not-stun"]++;
      return;
    }
    if (first >= 0x40 || isSendIndication(bytes, start)) {
      const flow =
        socket.family === 4
          ? flows.findWords(0, 0, IPV4_MARK, arena.sourceWord(slot, 1), port)
          : flows.findWords(
              arena.sourceWord(slot, 2),
              arena.sourceWord(slot, 3),
              arena.sourceWord(slot, 4),
              arena.sourceWord(slot, 5),
              port,
            );
      if (flow === undefined) this.#options.drops["no-allocation"]++;
      else fromClient(flow, bytes, start, end);
      return;
    }
    const { traffic, owner } = socket;
    if (traffic === undefined || owner === undefined) return;
    traffic.packetsIn++;
    traffic.bytesIn += end - start;
    // Control keeps what it is given; the slot is used again.
    owner.message(Buffer.from(bytes.subarray(start, end)), { address: this.#sourceOf(slot, socket.family), port });
  }

  #sourceOf(slot: number, family: Family): string {
    return textOfBytes(this.#arena.sourceBytes(slot, family), 0, family === 4 ? 4 : 16);
  }

  #send(socket: BatchSocket, bytes: Buffer, start: number, end: number, to: Endpoint): void {
    if (!socket.isOpen) return;
    const length = end - start;
    let slot: number;
    if (bytes === this.#bytes) slot = this.#arena.slotAt(start);
    else {
      // From outside: an answer of control, or of a client that came over a stream.
      if (length > MAX_DATAGRAM_BYTES) {
        this.#options.drops["too-long"]++;
        return;
      }
      if (this.#extra === SLOTS) this.#flush();
      slot = this.#extra++;
      bytes.copy(this.#bytes, this.#arena.dataOf(slot), start, end);
      start = this.#arena.dataOf(slot);
      // Outside of a turn nobody else would send it.
      if (!this.#isFlushDue) queueMicrotask(this.#flush);
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
  readonly #flush = (): void => {
    for (let index = 0; index < this.#waiting.length; index++) {
      const socket = this.#waiting[index];
      if (socket !== undefined) this.#sendAll(socket);
    }
    this.#waiting.length = 0;
    this.#used = this.#busyUntil;
    this.#extra = RX_SLOTS;
    this.#isFlushDue = false;
  };

  #sendAll(socket: BatchSocket): void {
    const arena = this.#arena;
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

  #transmit(socket: BatchSocket, messages: number): void {
    const { drops } = this.#options;
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

  /** The network does not take message `index` cut up: each of its segments goes by itself, as do all of this size from now on. */
  #oneByOne(socket: BatchSocket, index: number): void {
    this.#maxSegmentBytes = Math.min(this.#maxSegmentBytes, this.#arena.segmentBytesOf(index) - 1);
    const segments = this.#arena.vectorsOf(index);
    for (let segment = 0; segment < segments; segment++) {
      this.#arena.narrow(index, segment);
      if (this.#sys.sendmmsg(socket.fd, this.#arena.txHeaders + index * 64, 1, 0) < 1)
        this.#options.drops["unsendable"]++;
    }
  }
}

/** @throws where this machine cannot run it; the message says why. */
export const createBatchEngine = (options: EngineOptions): Engine => new BatchEngine(options);
