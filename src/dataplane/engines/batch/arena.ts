/**
 * The memory of packets, from the receive call to the send call: slots of one size, each with room before and after the
 * data, and the header tables that describe them to the kernel. It is allocated once; no packet allocates.
 */
import { MAPPED_WORD, type WireAddress } from "../../../net/address.ts";
import { HEADROOM, TAILROOM } from "../forward.ts";
import {
  AF_INET,
  AF_INET6,
  IOVEC_SIZE,
  IP_PKTINFO,
  IP_TOS,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_PKTINFO,
  IPV6_TCLASS,
  MMSGHDR,
  SOCKADDR_SIZE,
  SOL_UDP,
  sockaddrLength,
  UDP_SEGMENT,
  type Sys,
} from "./sys.ts";

/** Slots for received datagrams. */
export const RX_SLOTS = 1024;
/** Slots for other data: answers of control, and data of clients that arrived over a stream. */
export const EXTRA_SLOTS = 64;
const LARGE_SLOTS = RX_SLOTS + EXTRA_SLOTS;
/** Small slots, for the segments of messages that the kernel coalesced: each needs room before its data. */
export const SMALL_SLOTS = 4096;
/** Maximum length in bytes of a datagram in a small slot. */
export const SMALL_BYTES = 1984;
const SMALL_SLOT_BYTES = HEADROOM + SMALL_BYTES + 256;
/** Maximum number of datagrams that wait to be sent. */
export const TX_ENTRIES = 4096;
/** The longest possible. */
export const MAX_DATAGRAM_BYTES = 65_535;
/**
 * Pages that no packet reaches are never touched. The size is not a multiple of a page: otherwise slots would share few
 * lines of the cache.
 */
const SLOT_BYTES = (HEADROOM + MAX_DATAGRAM_BYTES + TAILROOM + 255) & ~255;

/** Room for the control messages of a datagram: traffic class, own address (IPv6 at most), length of its segments. */
const CMSG_SIZE = 96;
/** When sending, the length of the segments is at the end; other control messages are right before it. */
const SEGMENT_AT = 64;
const SEGMENT_LENGTH = 24;
/** `cmsg_len` of a control message with two bytes in it. */
const SEGMENT_LEN = 18;
/** IP_PKTINFO and IPV6_PKTINFO: `cmsg_len`, and their size. */
const PKTINFO = { 4: { len: 28, length: 32 }, 6: { len: 36, length: 40 } } as const;

/** Of IP_TOS and IPV6_TCLASS. */
const TRAFFIC_CLASS = { len: 20, length: 24 } as const;

/** A table in one piece of memory, with the offsets of its parts in 32-bit words. */
const LAYOUT = (() => {
  let at = 0;
  const part = (bytes: number): number => {
    const start = at;
    at += bytes;
    return start;
  };
  return {
    slots: part(LARGE_SLOTS * SLOT_BYTES),
    small: part(SMALL_SLOTS * SMALL_SLOT_BYTES),
    rxHeaders: part(RX_SLOTS * MMSGHDR.size),
    rxVectors: part(RX_SLOTS * IOVEC_SIZE),
    rxNames: part(RX_SLOTS * SOCKADDR_SIZE),
    rxControls: part(RX_SLOTS * CMSG_SIZE),
    txHeaders: part(TX_ENTRIES * MMSGHDR.size),
    txVectors: part(TX_ENTRIES * IOVEC_SIZE),
    txNames: part(TX_ENTRIES * SOCKADDR_SIZE),
    txControls: part(TX_ENTRIES * CMSG_SIZE),
    bytes: at,
  };
})();

export class Arena {
  /** The whole memory; data is addressed by offsets into it. */
  readonly bytes = Buffer.alloc(LAYOUT.bytes);
  readonly #u32: Uint32Array;
  readonly #i32: Int32Array;
  /** Address of its first byte. */
  readonly base: number;
  readonly #rxHeaders: number;
  readonly txHeaders: number;
  /** Of messages: where in their room the control messages begin. */
  readonly #controlStart = new Uint8Array(TX_ENTRIES).fill(SEGMENT_AT);
  /** Where the kernel finds the name of message 0. */
  readonly firstName: number;

  constructor(sys: Sys) {
    const { buffer, byteOffset } = this.bytes;
    this.#u32 = new Uint32Array(buffer, byteOffset, LAYOUT.bytes / 4);
    this.#i32 = new Int32Array(buffer, byteOffset, LAYOUT.bytes / 4);
    this.base = sys.addressOf(this.bytes);
    this.#rxHeaders = this.base + LAYOUT.rxHeaders;
    this.txHeaders = this.base + LAYOUT.txHeaders;
    this.firstName = this.base + LAYOUT.txNames;
    for (let slot = 0; slot < RX_SLOTS; slot++) {
      this.#pointer(LAYOUT.rxVectors + slot * IOVEC_SIZE, LAYOUT.slots + slot * SLOT_BYTES + HEADROOM);
      this.#u32[(LAYOUT.rxVectors + slot * IOVEC_SIZE + 8) >> 2] = MAX_DATAGRAM_BYTES;
      const rx = LAYOUT.rxHeaders + slot * MMSGHDR.size;
      this.#pointer(rx + MMSGHDR.name, LAYOUT.rxNames + slot * SOCKADDR_SIZE);
      this.#pointer(rx + MMSGHDR.iov, LAYOUT.rxVectors + slot * IOVEC_SIZE);
      this.#u32[(rx + MMSGHDR.nameLength) >> 2] = SOCKADDR_SIZE;
      this.#u32[(rx + MMSGHDR.iovLength) >> 2] = 1;
      this.#pointer(rx + MMSGHDR.control, LAYOUT.rxControls + slot * CMSG_SIZE);
      this.#u32[(rx + MMSGHDR.controlLength) >> 2] = CMSG_SIZE;
    }
    for (let entry = 0; entry < TX_ENTRIES; entry++) {
      const tx = LAYOUT.txHeaders + entry * MMSGHDR.size;
      this.#pointer(tx + MMSGHDR.name, LAYOUT.txNames + entry * SOCKADDR_SIZE);
      const control = LAYOUT.txControls + entry * CMSG_SIZE + SEGMENT_AT;
      this.#pointer(tx + MMSGHDR.control, control);
      this.#u32[control >> 2] = SEGMENT_LEN;
      this.#u32[(control + 8) >> 2] = SOL_UDP;
      this.#u32[(control + 12) >> 2] = UDP_SEGMENT;
    }
  }

  #pointer(at: number, offset: number): void {
    this.bytes.writeBigUInt64LE(BigInt(this.base + offset), at);
  }

  /** Where the kernel finds the receive headers from `slot` on. */
  rxHeader(slot: number): number {
    return this.#rxHeaders + slot * MMSGHDR.size;
  }

  /** Where data of `slot` begins. */
  dataOf(slot: number): number {
    return LAYOUT.slots + slot * SLOT_BYTES + HEADROOM;
  }

  /** Where data of small slot `slot` begins. */
  smallDataOf(slot: number): number {
    return LAYOUT.small + slot * SMALL_SLOT_BYTES + HEADROOM;
  }

  /** Length of each datagram in `slot` except the last; 0 if it holds only one. */
  segmentOf(slot: number): number {
    const length = this.#u32[(LAYOUT.rxHeaders + slot * MMSGHDR.size + MMSGHDR.controlLength) >> 2] ?? 0;
    const at = (LAYOUT.rxControls + slot * CMSG_SIZE) >> 2;
    // This control message comes before the own address.
    return length === 0 || this.#u32[at + 2] !== SOL_UDP ? 0 : (this.#u32[at + 4] ?? 0);
  }

  /**
   * Position of the own address that the datagram in `slot` was sent to, as an index of 32-bit words for `wordAt`: one word
   * for IPv4, four for IPv6. -1 if the kernel did not report it.
   */
  ownAddressAt(slot: number): number {
    const at = this.#controlAt(slot, IP_PKTINFO, IPV6_PKTINFO);
    if (at < 0) return -1;
    // in_pktinfo starts with the interface; the address to answer from comes before that of the packet's header.
    return this.#u32[at + 2] === IPPROTO_IP ? at + 5 : at + 4;
  }

  /** DSCP and ECN of the datagram in `slot`, as the byte of the IP header; 0 if the kernel did not report them. */
  trafficClassOf(slot: number): number {
    const at = this.#controlAt(slot, IP_TOS, IPV6_TCLASS);
    return at < 0 ? 0 : (this.#u32[at + 4] ?? 0) & 255;
  }

  /** Word at which the control message of one type, by family, begins in `slot`; -1 if there is none. */
  #controlAt(slot: number, type4: number, type6: number): number {
    const u32 = this.#u32;
    const length = u32[(LAYOUT.rxHeaders + slot * MMSGHDR.size + MMSGHDR.controlLength) >> 2] ?? 0;
    let at = (LAYOUT.rxControls + slot * CMSG_SIZE) >> 2;
    const end = at + (length >> 2);
    while (at + 4 <= end) {
      const level = u32[at + 2];
      const type = u32[at + 3];
      if ((level === IPPROTO_IP && type === type4) || (level === IPPROTO_IPV6 && type === type6)) return at;
      const len = u32[at] ?? 0;
      if (len === 0) break;
      at += ((len + 7) & ~7) >> 2;
    }
    return -1;
  }

  /** Word `index` of the arena, signed. */
  wordAt(index: number): number {
    return this.#i32[index] ?? 0;
  }

  /** Network-order bytes of the address at word `index`. */
  bytesAt(index: number, family: 4 | 6): Buffer {
    return this.bytes.subarray(index * 4, index * 4 + (family === 4 ? 4 : 16));
  }

  /** Bytes received into `slot`. */
  lengthOf(slot: number): number {
    return this.#u32[(LAYOUT.rxHeaders + slot * MMSGHDR.size + MMSGHDR.length) >> 2] ?? 0;
  }

  flagsOf(slot: number): number {
    return this.#u32[(LAYOUT.rxHeaders + slot * MMSGHDR.size + MMSGHDR.flags) >> 2] ?? 0;
  }

  /** Prepares `slot` for the next receive: the kernel has overwritten the lengths of name and control. */
  rearm(slot: number): void {
    const header = LAYOUT.rxHeaders + slot * MMSGHDR.size;
    this.#u32[(header + MMSGHDR.nameLength) >> 2] = SOCKADDR_SIZE;
    this.#u32[(header + MMSGHDR.controlLength) >> 2] = CMSG_SIZE;
  }

  /** Word `index` of the source address of `slot`: 0 holds family and port; of IPv4 1 is the address, of IPv6 2 to 5. */
  sourceWord(slot: number, index: number): number {
    return this.#i32[((LAYOUT.rxNames + slot * SOCKADDR_SIZE) >> 2) + index] ?? 0;
  }

  sourcePort(slot: number): number {
    const at = LAYOUT.rxNames + slot * SOCKADDR_SIZE + 2;
    return ((this.bytes[at] ?? 0) << 8) | (this.bytes[at + 1] ?? 0);
  }

  /** Network-order bytes of the source address of `slot`. */
  sourceBytes(slot: number, family: 4 | 6): Buffer {
    const at = LAYOUT.rxNames + slot * SOCKADDR_SIZE;
    return family === 4 ? this.bytes.subarray(at + 4, at + 8) : this.bytes.subarray(at + 8, at + 24);
  }

  /** Writes the socket address of message `index`; returns its length. */
  name(index: number, to: WireAddress, family: 4 | 6): number {
    const u32 = this.#u32;
    const name = (LAYOUT.txNames + index * SOCKADDR_SIZE) >> 2;
    const port = ((to.port & 255) << 8) | (to.port >>> 8);
    if (family === 4) {
      u32[name] = AF_INET | (port << 16);
      u32[name + 1] = to.w3;
      u32[name + 2] = 0;
      u32[name + 3] = 0;
    } else {
      u32[name] = AF_INET6 | (port << 16);
      u32[name + 1] = 0;
      u32[name + 2] = to.w0;
      u32[name + 3] = to.w1;
      u32[name + 4] = to.w2;
      u32[name + 5] = to.w3;
      u32[name + 6] = 0;
    }
    return sockaddrLength(family);
  }

  /**
   * Starts message `index` of a send, to `to`, with the vectors from `vector` on.
   * @param trafficClass DSCP and ECN; 0 for the socket's default.
   */
  openMessage(index: number, vector: number, to: WireAddress, family: 4 | 6, trafficClass: number): void {
    const u32 = this.#u32;
    const header = (LAYOUT.txHeaders + index * MMSGHDR.size) >> 2;
    u32[header + MMSGHDR.nameLength / 4] = this.name(index, to, family);
    const vectors = this.base + LAYOUT.txVectors + vector * IOVEC_SIZE;
    u32[header + MMSGHDR.iov / 4] = vectors % 0x100000000;
    u32[header + MMSGHDR.iov / 4 + 1] = Math.floor(vectors / 0x100000000);
    let start = SEGMENT_AT;
    if (to.from !== undefined) {
      start -= PKTINFO[family].length;
      this.#putFrom(index, start, to.from, family);
    }
    if (trafficClass !== 0) {
      start -= TRAFFIC_CLASS.length;
      this.#putTrafficClass(index, start, trafficClass, family);
    }
    u32[header + MMSGHDR.controlLength / 4] = SEGMENT_AT - start;
    if (this.#controlStart[index] === start) return;
    this.#controlStart[index] = start;
    this.#setControl(index, start);
  }

  /** Sets the source of message `index` to `from`: a control message at `start` of its room. */
  #putFrom(index: number, start: number, from: WireAddress, family: 4 | 6): void {
    const u32 = this.#u32;
    const at = (LAYOUT.txControls + index * CMSG_SIZE + start) >> 2;
    u32[at] = PKTINFO[family].len;
    u32[at + 1] = 0;
    u32[at + 2] = family === 4 ? IPPROTO_IP : IPPROTO_IPV6;
    u32[at + 3] = family === 4 ? IP_PKTINFO : IPV6_PKTINFO;
    // The route selects the interface.
    if (family === 4) {
      u32[at + 4] = 0;
      u32[at + 5] = from.w3;
      u32[at + 6] = 0;
    } else {
      u32[at + 4] = from.w0;
      u32[at + 5] = from.w1;
      u32[at + 6] = from.w2;
      u32[at + 7] = from.w3;
      u32[at + 8] = 0;
    }
  }

  /** Sets the traffic class of message `index`: a control message at `start` of its room. */
  #putTrafficClass(index: number, start: number, trafficClass: number, family: 4 | 6): void {
    const u32 = this.#u32;
    const at = (LAYOUT.txControls + index * CMSG_SIZE + start) >> 2;
    u32[at] = TRAFFIC_CLASS.len;
    u32[at + 1] = 0;
    u32[at + 2] = family === 4 ? IPPROTO_IP : IPPROTO_IPV6;
    u32[at + 3] = family === 4 ? IP_TOS : IPV6_TCLASS;
    u32[at + 4] = trafficClass;
  }

  /** The control messages of message `index` begin at `start` of their room. */
  #setControl(index: number, start: number): void {
    const header = (LAYOUT.txHeaders + index * MMSGHDR.size + MMSGHDR.control) >> 2;
    const address = this.base + LAYOUT.txControls + index * CMSG_SIZE + start;
    this.#u32[header] = address % 0x100000000;
    this.#u32[header + 1] = Math.floor(address / 0x100000000);
  }

  /** Vector `vector` is bytes `start` to `start + length`. */
  setVector(vector: number, start: number, length: number): void {
    const at = (LAYOUT.txVectors + vector * IOVEC_SIZE) >> 2;
    const address = this.base + start;
    this.#u32[at] = address % 0x100000000;
    this.#u32[at + 1] = Math.floor(address / 0x100000000);
    this.#u32[at + 2] = length;
  }

  /** Ends message `index`, of `vectors` vectors; several are segments of `segmentBytes` each (UDP GSO). */
  closeMessage(index: number, vectors: number, segmentBytes: number): void {
    const header = (LAYOUT.txHeaders + index * MMSGHDR.size) >> 2;
    this.#u32[header + MMSGHDR.iovLength / 4] = vectors;
    if (vectors === 1) return;
    const control = header + MMSGHDR.controlLength / 4;
    this.#u32[control] = (this.#u32[control] ?? 0) + SEGMENT_LENGTH;
    const value = LAYOUT.txControls + index * CMSG_SIZE + SEGMENT_AT + 16;
    this.bytes[value] = segmentBytes & 255;
    this.bytes[value + 1] = segmentBytes >>> 8;
  }

  /** Bytes of each segment of message `index` but its last. */
  segmentBytesOf(index: number): number {
    const value = LAYOUT.txControls + index * CMSG_SIZE + SEGMENT_AT + 16;
    return (this.bytes[value] ?? 0) | ((this.bytes[value + 1] ?? 0) << 8);
  }

  /** Reduces message `index` to a single vector: its first, or the one after its current one. */
  narrow(index: number, segment: number): void {
    const header = (LAYOUT.txHeaders + index * MMSGHDR.size) >> 2;
    this.#u32[header + MMSGHDR.iovLength / 4] = 1;
    // Keeps the own address and drops the length of segments.
    const control = header + MMSGHDR.controlLength / 4;
    if (segment === 0) this.#u32[control] = (this.#u32[control] ?? 0) - SEGMENT_LENGTH;
    // Vectors are in one 4 GiB range, because the arena is far smaller; the carry is handled all the same.
    if (segment === 0) return;
    const at = header + MMSGHDR.iov / 4;
    const next = (this.#u32[at] ?? 0) + IOVEC_SIZE;
    this.#u32[at] = next % 0x100000000;
    if (next >= 0x100000000) this.#u32[at + 1] = (this.#u32[at + 1] ?? 0) + 1;
  }

  /** Vectors of message `index`. */
  vectorsOf(index: number): number {
    return this.#u32[(LAYOUT.txHeaders + index * MMSGHDR.size + MMSGHDR.iovLength) >> 2] ?? 0;
  }
}

/** The word that marks IPv4 in {@link WireAddress}. */
export const IPV4_MARK = MAPPED_WORD;
