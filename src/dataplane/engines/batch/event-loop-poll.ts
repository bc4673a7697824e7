/**
 * Makes Node's own event loop watch a descriptor that Node has no class for, by libuv's `uv_poll_t`
 * (https://docs.libuv.org/en/v1.x/poll.html). The process waits in one place for everything, and no other thread has to be
 * woken for a packet.
 */
import { isMainThread } from "node:worker_threads";
import { loadLibuv, type Libuv } from "./libuv.ts";

const UV_READABLE = 1;

/** A descriptor that the event loop watches. While it does, it keeps the process running. */
export class EventLoopPoll {
  readonly #libuv: Libuv;
  /** libuv's handle: its memory must stay where it is until the loop has let go of it. */
  readonly #handle: Buffer;
  readonly #callback: bigint;

  /**
   * `ready` is called once a turn of the event loop for as long as `fd` can be read. It must not throw.
   *
   * @throws on another thread than the main one: libuv aborts the process when a thread ends with such a handle open. And
   * where libuv's functions are missing.
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

  /** To be called before the descriptor is closed. */
  close(): void {
    const { close, unregister } = this.#libuv;
    close(this.#handle, null);
    // The loop lets go of the handle at the end of this turn. Until then the closure keeps its memory.
    setImmediate(() => setImmediate(() => (this.#handle.fill(0), unregister(this.#callback))));
  }
}
