/** Numbered and timed messages, sent over a data channel that returns them, and their results. */
import { setTimeout as after } from "node:timers/promises";
import type { RTCDataChannel } from "./peer.ts";

export interface Measured {
  readonly sent: number;
  readonly lost: number;
  /** Sent messages a second. */
  readonly rate: number;
  /** In ms; zero if no message came back. */
  readonly roundTrip: { readonly mean: number; readonly median: number; readonly p95: number; readonly p99: number };
}

export interface MeasureOptions {
  /** Messages a second; 0: as fast as the channel accepts them. */
  readonly rate: number;
  readonly durationMs: number;
}

/** A number of 4 bytes, a time of 8, and padding up to STUNner's 100. */
const MESSAGE_BYTES = 100;
const TICK_MS = 10;
/** Time to wait for messages in flight after the last one was sent. */
const LAST_MS = 1000;
/** With more than this in the channel, sending waits. */
const MOST_BUFFERED = 256 * 1024;

const summaryOf = (roundTrips: readonly number[]): Measured["roundTrip"] => {
  const sorted = roundTrips.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const mean = sorted.reduce((sum, one) => sum + one, 0) / Math.max(sorted.length, 1);
  return { mean, median: at(0.5), p95: at(0.95), p99: at(0.99) };
};

export const measure = async (channel: RTCDataChannel, { rate, durationMs }: MeasureOptions): Promise<Measured> => {
  const returned = new Map<number, number>();
  channel.onMessage.subscribe((message) => {
    const bytes = Buffer.isBuffer(message) ? message : Buffer.from(message);
    if (bytes.length < 12) return;
    const number = bytes.readUInt32BE(0);
    if (!returned.has(number)) returned.set(number, performance.now() - bytes.readDoubleBE(4));
  });
  const begun = performance.now();
  let sent = 0;
  for (let now = begun; now - begun < durationMs; now = performance.now()) {
    const due = rate === 0 ? Infinity : Math.ceil(((now - begun) / 1000) * rate);
    while (sent < due && channel.bufferedAmount < MOST_BUFFERED) {
      const message = Buffer.alloc(MESSAGE_BYTES);
      message.writeUInt32BE(sent, 0);
      message.writeDoubleBE(performance.now(), 4);
      channel.send(message);
      sent += 1;
    }
    await after(TICK_MS);
  }
  const seconds = (performance.now() - begun) / 1000;
  for (const until = performance.now() + LAST_MS; returned.size < sent && performance.now() < until;)
    await after(TICK_MS);
  return {
    sent,
    lost: sent - returned.size,
    rate: sent / seconds,
    roundTrip: summaryOf([...returned.values()]),
  };
};
