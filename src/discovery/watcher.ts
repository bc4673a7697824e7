/**
 * One subscriber of the watch stream. It keeps the ids that it must send, never the documents: it sends the state at the
 * time of sending, so that a slow consumer skips intermediate states and does not slow down others.
 */
import { WebSocket } from "ws";
import { KEEPALIVE, encodeConfig, zeroConfig } from "./protocol.ts";

/** Why a watch ended. `client` and `protocol` (a frame that clients may not send) are caused by the client. */
export type WatchEnd = "client" | "protocol" | "slow-consumer" | "dead" | "standby" | "shutdown";

export interface WatchLimits {
  /** A connection that is silent for this long is pinged. */
  readonly readDeadlineMs: number;
  /** A connection that does not answer that ping for this long is dropped. */
  readonly pongDeadlineMs: number;
  /** A connection that accepts none of its pending data for this long is dropped. */
  readonly stallMs: number;
  /** No further frame is passed to the socket while this many bytes wait in it. */
  readonly maxBufferedBytes: number;
}

export interface WatcherOptions {
  readonly socket: WebSocket;
  readonly limits: WatchLimits;
  /** The document to send for an id; undefined if it was removed. */
  readonly frameOf: (id: string) => Buffer | undefined;
  readonly sent: (id: string, bytes: number) => void;
  /** The kernel accepted what was sent of `id`, this many seconds after the socket received it. */
  readonly taken: (id: string, bytes: number, seconds: number) => void;
  readonly ended: (reason: WatchEnd) => void;
}

export interface Watcher {
  /** Records that the state of `id` must be sent; `pump` sends it. */
  mark(id: string): void;
  pump(): void;
  /** Enforces the deadlines at `now`, in milliseconds of `performance.now`. */
  sweep(now: number): void;
  /** Closes with a close frame, empty unless there is a `code`. */
  close(reason: "standby" | "shutdown", code?: number): void;
}

export const createWatcher = ({ socket, limits, frameOf, sent, taken, ended }: WatcherOptions): Watcher => {
  const pending = new Set<string>();
  /** What this subscriber last received of each id, to send nothing twice. */
  const told = new Map<string, Buffer>();
  let end: WatchEnd = "client";
  let heardAt = performance.now();
  let pingedAt: number | undefined;
  /** Frames in the socket that the kernel has not accepted, and when it last accepted one. */
  let unflushed = 0;
  let flushedAt = heardAt;

  const heard = (): void => {
    heardAt = performance.now();
    pingedAt = undefined;
  };
  const handOver = (): void => {
    if (unflushed === 0) flushedAt = performance.now();
    unflushed += 1;
  };
  const flushed = (): void => {
    unflushed -= 1;
    flushedAt = performance.now();
    pump();
  };
  const isFull = (): boolean => socket.bufferedAmount >= limits.maxBufferedBytes;
  const drop = (reason: WatchEnd): void => {
    end = reason;
    socket.terminate();
  };

  const pump = (): void => {
    for (const id of pending) {
      // Continues when the kernel has accepted something.
      if (socket.readyState !== WebSocket.OPEN || isFull()) return;
      pending.delete(id);
      const frame = frameOf(id);
      const before = told.get(id);
      if (frame === undefined ? before === undefined : before?.equals(frame) === true) continue;
      if (frame === undefined) told.delete(id);
      else told.set(id, frame);
      const document = frame ?? Buffer.from(encodeConfig(zeroConfig(id)));
      handOver();
      const sentAt = performance.now();
      socket.send(document, { binary: false }, (error) => {
        if (!error) taken(id, document.length, (performance.now() - sentAt) / 1000);
        flushed();
      });
      sent(id, document.length);
    }
  };

  socket.on("message", heard);
  socket.on("pong", heard);
  socket.on("ping", () => {
    heard();
    // A client that pings and reads nothing does not accumulate pongs.
    if (socket.readyState !== WebSocket.OPEN || isFull()) return;
    handOver();
    socket.pong(KEEPALIVE, false, flushed);
  });
  socket.on("error", () => {
    if (end === "client") end = "protocol";
  });
  socket.on("close", () => ended(end));

  return {
    mark: (id) => void pending.add(id),
    pump,
    sweep(now) {
      if (unflushed > 0 && now - flushedAt > limits.stallMs) return drop("slow-consumer");
      if (pingedAt !== undefined) return now - pingedAt > limits.pongDeadlineMs ? drop("dead") : undefined;
      if (now - heardAt > limits.readDeadlineMs && socket.readyState === WebSocket.OPEN) {
        pingedAt = now;
        handOver();
        socket.ping(KEEPALIVE, false, flushed);
      }
      return undefined;
    },
    close(reason, code) {
      end = reason;
      if (code === undefined) socket.close();
      else socket.close(code, reason);
    },
  };
};
