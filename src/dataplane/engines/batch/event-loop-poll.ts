/**
 * Makes Node's event loop watch a descriptor for which Node has no class, with libuv's `uv_poll_t`
 * (https://docs.libuv.org/en/v1.x/poll.html). The process waits for everything in one place, and no other thread has to
 * wake up for a packet.
 */
import { isMainThread } from "node:worker_threads";
import { loadLibuv, type Libuv } from "./libuv.ts";

const UV_READABLE = 1;

/** A descriptor that the event loop watches. While it is watched, the process keeps running. */
export class EventLoopPoll {
  readonly #libuv: Libuv;
  /** libuv's handle: its memory must not move or be freed until the loop has closed it. */
  readonly #handle: Buffer;
  readonly #callback: bigint;

  /**
   * `ready` is called once a turn of the event loop while `fd` is readable. It must not throw.
   *
   * @throws on a thread other than the main one, because libuv aborts the process when a thread ends with such a handle
   * open; and if libuv's functions are missing.
   */
  constructor(fd: number, ready: () => void) {
    if (!isMainThread) throw new Error("it runs on the main thread only");
    this.#libuv = loadLibuv();
    this.#handle = Buffer.alloc(this.#libuv.pollHandleBytes);
    const result = this.#libuv.pollInit(this.#libuv.loop(), this.#handle, fd);
    if (result < 0) throw new Error(`uv_poll_init: ${result}`);
    this.#callback = this.#libuv.register(ready);
  }

  start(): void {
    this.#libuv.pollStart(this.#handle, UV_READABLE, this.#callback);
  }

  stop(): void {
    this.#libuv.pollStop(this.#handle);
  }

  /** Call this before the descriptor is closed. */
  close(): void {
    const { close, unregister } = this.#libuv;
    close(this.#handle, null);
    // The loop closes the handle at the end of this turn. Until then the closure keeps its memory.
    setImmediate(() => setImmediate(() => (this.#handle.fill(0), unregister(this.#callback))));
  }
}
