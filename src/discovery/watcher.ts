/**
 * One subscriber of the watch stream. It keeps the ids that it has yet to tell, never the documents: what is sent is
 * the state at the time of sending, so that a slow consumer skips states it was too slow for and costs nobody else.
 */
import { WebSocket } from "ws";
import { KEEPALIVE, encodeConfig, zeroConfig } from "./protocol.ts";

/** Why a watch ended. `client` and `protocol` (a frame it may not send) are the client's doing. */
export type WatchEnd = "client" | "protocol" | "slow-consumer" | "dead" | "standby" | "shutdown";

export interface WatchLimits {
  /** A connection that is silent this long is pinged. */
  readonly readDeadlineMs: number;
  /** A connection that does not answer that ping this long is dropped. */
  readonly pongDeadlineMs: number;
  /** A connection that takes none of what waits for it this long is dropped. */
  readonly stallMs: number;
  /** No further frame is handed to the socket while this many bytes wait in it. */
  readonly maxBufferedBytes: number;
}

export interface WatcherOptions {
  readonly socket: WebSocket;
  readonly limits: WatchLimits;
  /** The document to send for an id; undefined when it is gone. */
  readonly frameOf: (id: string) => Buffer | undefined;
  readonly sent: (id: string, bytes: number) => void;
  /** The kernel has taken what was sent of `id`, this many seconds after. */
  readonly taken: (id: string, bytes: number, seconds: number) => void;
  readonly ended: (reason: WatchEnd) => void;
}

export interface Watcher {
  /** Notes that the state of `id` must be sent; `pump` does it. */
  mark(id: string): void;
  pump(): void;
  /** Enforces the deadlines at `now`, in milliseconds of `performance.now`. */
  sweep(now: number): void;
  /** Closes with a close frame, empty unless there is a `code`. */
  close(reason: "standby" | "shutdown", code?: number): void;
}

export const createWatcher = ({ socket, limits, frameOf, sent, taken, ended }: WatcherOptions): Watcher => {
  const pending = new Set<string>();
  /** What this subscriber was last told of each id, to tell it nothing twice. */
  const told = new Map<string, Buffer>();
  let end: WatchEnd = "client";
  let heardAt = performance.now();
  let pingedAt: number | undefined;
  /** Frames handed to the socket that the kernel has not taken, and when it last took one. */
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
      // Continues when the kernel has taken something.
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
    // Whoever pings and reads nothing gets no pile of pongs.
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
