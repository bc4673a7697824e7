/**
 * The programs' map of flows, and the memory layout of its entries: `struct key` and `struct flow` of `flows.h`.
 * Addresses are words as in {@link Words}; ports and channel numbers are in network byte order.
 */
import { monotonicMs } from "../../clock.ts";
import type { Words } from "../../net/address.ts";
import type { Bpf } from "./bpf.ts";

export const KEY_BYTES = 40;
export const VALUE_BYTES = 88;
export const MAX_FLOWS = 262_144;
const BATCH = 1024;

/** Offsets in `struct flow`. `struct key` has the same layout up to and including the channel. */
const AT = {
  source: 0,
  target: 16,
  sourcePort: 32,
  targetPort: 34,
  channel: 36,
  isIpv6: 38,
  interface: 40,
  owner: 44,
  id: 48,
  packets: 56,
  bytes: 72,
  seenAt: 80,
} as const;
/** `struct request` of `close-flow.bpf.c`: a key, then the counters. */
const REQUEST = {
  bytes: KEY_BYTES + 24,
  packetsAt: KEY_BYTES,
  bytesAt: KEY_BYTES + 8,
  seenAtAt: KEY_BYTES + 16,
} as const;
/** `enum outcome` there. */
const NOT_FOUND = 0;
const UNSETTLED = 2;
/** Some milliseconds; a CPU that is interrupted for longer while it counts a packet leaves its bytes out. */
const CLOSE_TRIES = 10_000;

export interface End extends Words {
  readonly port: number;
}

/** The transport addresses of a datagram. */
export interface Hop {
  readonly source: End;
  readonly target: End;
  /** Channel number of its ChannelData header; 0 if it has none. */
  readonly channel: number;
}

export interface FlowEntry {
  readonly from: Hop;
  readonly to: Hop;
  readonly isIpv6: boolean;
  /** Index of the outgoing interface. */
  readonly interface: number;
  /** The relay that installed it, and a number below 2^48 that is unique within that relay. */
  readonly owner: number;
  readonly id: number;
}

/** File descriptors, valid in every thread of the process. */
export interface FlowMapHandle {
  readonly flows: number;
  /** The program that removes a flow. */
  readonly closeFlow: number;
}

export interface FlowCounters {
  readonly packets: number;
  readonly bytes: number;
  /** Time of the last packet, in milliseconds of the monotonic clock; 0 if there was none. */
  readonly seenAt: number;
}

const writeEnd = (bytes: Buffer, at: number, { w0, w1, w2, w3 }: End): void => {
  bytes.writeInt32LE(w0, at);
  bytes.writeInt32LE(w1, at + 4);
  bytes.writeInt32LE(w2, at + 8);
  bytes.writeInt32LE(w3, at + 12);
};

const writeHop = (bytes: Buffer, { source, target, channel }: Hop): void => {
  writeEnd(bytes, AT.source, source);
  writeEnd(bytes, AT.target, target);
  bytes.writeUInt16BE(source.port, AT.sourcePort);
  bytes.writeUInt16BE(target.port, AT.targetPort);
  bytes.writeUInt16BE(channel, AT.channel);
};

/** Converts from `CLOCK_MONOTONIC`, which `process.hrtime` reads too. */
const monotonicOf = (nanoseconds: bigint): number =>
  nanoseconds === 0n ? 0 : monotonicMs() - Number(process.hrtime.bigint() - nanoseconds) / 1e6;

const countersAt = (buffer: Buffer, packets: number, bytes: number, seenAt: number): FlowCounters => ({
  packets: Number(buffer.readBigUInt64LE(packets)),
  bytes: Number(buffer.readBigUInt64LE(bytes)),
  seenAt: monotonicOf(buffer.readBigUInt64LE(seenAt)),
});

const countersOf = (values: Buffer, at: number): FlowCounters =>
  countersAt(values, at + AT.packets, at + AT.bytes, at + AT.seenAt);

export class FlowMap {
  readonly #bpf: Bpf;
  readonly #fd: number;
  readonly #closeFlow: number;
  readonly #value = Buffer.alloc(VALUE_BYTES);
  readonly #key = Buffer.alloc(KEY_BYTES);
  readonly #request = Buffer.alloc(REQUEST.bytes);

  constructor(bpf: Bpf, { flows, closeFlow }: FlowMapHandle) {
    this.#bpf = bpf;
    this.#fd = flows;
    this.#closeFlow = closeFlow;
  }

  /** @throws BpfError `E2BIG` if the map is full. */
  insert({ from, to, isIpv6, interface: index, owner, id }: FlowEntry): void {
    writeHop(this.#key, from);
    const value = this.#value.fill(0);
    writeHop(value, to);
    value.writeUInt16LE(isIpv6 ? 1 : 0, AT.isIpv6);
    value.writeUInt32LE(index, AT.interface);
    value.writeUInt32LE(owner, AT.owner);
    value.writeUIntLE(id, AT.id, 6);
    this.#bpf.update(this.#fd, this.#key, value);
  }

  /** Removes the flow. No packet is forwarded by it once this returns. @returns its final counters: exactly what it forwarded. */
  remove(from: Hop): FlowCounters | undefined {
    const request = this.#request.fill(0);
    writeHop(request, from);
    let outcome = this.#bpf.run(this.#closeFlow, request);
    for (let tries = 1; outcome === UNSETTLED && tries < CLOSE_TRIES; tries += 1)
      outcome = this.#bpf.run(this.#closeFlow, request);
    if (outcome === NOT_FOUND) return undefined;
    if (outcome === UNSETTLED) {
      const counters = this.read(from);
      this.#bpf.delete(this.#fd, this.#key);
      return counters && { ...counters, packets: Number(request.readBigUInt64LE(REQUEST.packetsAt)) };
    }
    return countersAt(request, REQUEST.packetsAt, REQUEST.bytesAt, REQUEST.seenAtAt);
  }

  /** Counters of the flow. */
  read(from: Hop): FlowCounters | undefined {
    writeHop(this.#key, from);
    return this.#bpf.lookUp(this.#fd, this.#key, this.#value) ? countersOf(this.#value, 0) : undefined;
  }

  /** Counters of all flows of `owner`. */
  *entriesOf(owner: number): Generator<{ readonly id: number; readonly key: Buffer } & FlowCounters> {
    const keys = Buffer.alloc(BATCH * KEY_BYTES);
    const values = Buffer.alloc(BATCH * VALUE_BYTES);
    let position: Buffer | undefined;
    const next = Buffer.alloc(8);
    for (;;) {
      const { count, isEnd } = this.#bpf.readBatch(this.#fd, position, next, keys, values, BATCH);
      for (let index = 0; index < count; index++) {
        const at = index * VALUE_BYTES;
        if (values.readUInt32LE(at + AT.owner) !== owner) continue;
        const key = keys.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES);
        yield { id: values.readUIntLE(at + AT.id, 6), key, ...countersOf(values, at) };
      }
      if (isEnd) return;
      position ??= Buffer.alloc(8);
      next.copy(position);
    }
  }

  /** Removes all flows of `owner`. @returns their number. */
  removeAllOf(owner: number): number {
    const keys = Array.from(this.entriesOf(owner), ({ key }) => Buffer.from(key));
    for (const key of keys) this.#bpf.delete(this.#fd, key);
    return keys.length;
  }
}
