/**
 * The map of flows that the program forwards by, and how its entries lie in memory: `struct key` and `struct flow` of
 * `channel-data.bpf.c`. Addresses are words as the packet path compares them; ports and channels are in network order.
 */
import { monotonicMs } from "../../clock.ts";
import type { Words } from "../../net/address.ts";
import type { Bpf } from "./bpf.ts";

export const KEY_BYTES = 40;
export const VALUE_BYTES = 80;
export const MAX_FLOWS = 262_144;
const BATCH = 1024;

/** Where its fields are in `struct flow`; up to the channel, `struct key` is the same. */
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

/** Datagrams from `source` to `target`. */
export interface Hop {
  readonly source: End;
  readonly target: End;
  /** Of the ChannelData in them; 0 where they are data alone. */
  readonly channel: number;
}

export interface FlowEntry {
  readonly from: Hop;
  readonly to: Hop;
  readonly isIpv6: boolean;
  /** Number of the interface that it leaves by. */
  readonly interface: number;
  /** Who put it there, and what it is to them; `id` is below 2^48. */
  readonly owner: number;
  readonly id: number;
}

export interface FlowCounters {
  readonly packets: number;
  readonly bytes: number;
  /** Of the last packet, milliseconds of the monotonic clock; 0 before the first. */
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

/** The kernel's monotonic clock, as `process.hrtime` reads it, on that of this thread. */
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

  /** @throws BpfError: E2BIG when the map is full. */
  put({ from, to, isIpv6, interface: index, owner, id }: FlowEntry): void {
    writeHop(this.#key, from);
    const value = this.#value.fill(0);
    writeHop(value, to);
    value.writeUInt16LE(isIpv6 ? 1 : 0, AT.isIpv6);
    value.writeUInt32LE(index, AT.interface);
    value.writeUInt32LE(owner, AT.owner);
    value.writeUIntLE(id, AT.id, 6);
    this.#bpf.update(this.#fd, this.#key, value);
  }

  /** Removes the entry of `from`; what it counted. From when this returns on no packet finds it. */
  take(from: Hop): FlowCounters | undefined {
    writeHop(this.#key, from);
    return this.#bpf.take(this.#fd, this.#key, this.#value) ? countersAt(this.#value, 0) : undefined;
  }

  /** What the entry of `from` has counted. */
  read(from: Hop): FlowCounters | undefined {
    writeHop(this.#key, from);
    return this.#bpf.lookUp(this.#fd, this.#key, this.#value) ? countersAt(this.#value, 0) : undefined;
  }

  /** All entries of `owner`, as they were within this call. */
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

  /** Removes all entries of an owner that is gone. @returns how many there were. */
  removeAllOf(owner: number): number {
    const keys = Array.from(this.entriesOf(owner), ({ key }) => Buffer.from(key));
    for (const key of keys) this.#bpf.remove(this.#fd, key);
    return keys.length;
  }
}
