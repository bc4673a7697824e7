/**
 * The program's map of flows, and the memory layout of its entries: `struct key` and `struct flow` of `channel-data.bpf.c`.
 * Addresses are words as in {@link Words}; ports and channel numbers are in network byte order.
 */
import { monotonicMs } from "../../clock.ts";
import type { Words } from "../../net/address.ts";
import type { Bpf } from "./bpf.ts";

export const KEY_BYTES = 40;
export const VALUE_BYTES = 80;
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
  bytes: 64,
  seenAt: 72,
} as const;

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

const countersAt = (bytes: Buffer, at: number): FlowCounters => ({
  packets: Number(bytes.readBigUInt64LE(at + AT.packets)),
  bytes: Number(bytes.readBigUInt64LE(at + AT.bytes)),
  seenAt: monotonicOf(bytes.readBigUInt64LE(at + AT.seenAt)),
});

export class FlowMap {
  readonly #bpf: Bpf;
  readonly #fd: number;
  readonly #value = Buffer.alloc(VALUE_BYTES);
  readonly #key = Buffer.alloc(KEY_BYTES);

  constructor(bpf: Bpf, fd: number) {
    this.#bpf = bpf;
    this.#fd = fd;
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

  /** Removes the flow. No packet matches it once this returns. @returns its final counters. */
  remove(from: Hop): FlowCounters | undefined {
    writeHop(this.#key, from);
    return this.#bpf.lookUpAndDelete(this.#fd, this.#key, this.#value) ? countersAt(this.#value, 0) : undefined;
  }

  /** Counters of the flow. */
  read(from: Hop): FlowCounters | undefined {
    writeHop(this.#key, from);
    return this.#bpf.lookUp(this.#fd, this.#key, this.#value) ? countersAt(this.#value, 0) : undefined;
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
        yield { id: values.readUIntLE(at + AT.id, 6), key, ...countersAt(values, at) };
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
