/**
 * Makes Node's own event loop watch a descriptor that Node has no class for, by libuv's `uv_poll_t`: Node exports libuv's
 * functions for its add-ons (https://docs.libuv.org/en/v1.x/poll.html). The process waits in one place for everything, and no
 * other thread has to be woken for a packet.
 */
import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";

const UV_POLL = 8;
const UV_READABLE = 1;

interface Functions {
  readonly loop: () => unknown;
  readonly handleBytes: number;
  readonly init: (loop: unknown, handle: Buffer, fd: number) => number;
  readonly start: (handle: Buffer, events: number, callback: bigint) => number;
  readonly stop: (handle: Buffer) => number;
  readonly close: (handle: Buffer, callback: null) => void;
  readonly register: (callback: () => void) => bigint;
  readonly unregister: (callback: bigint) => void;
}

let loaded: Functions | undefined;

const load = (): Functions => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const program = koffi.load(null);
  const callback = koffi.proto("void TurnpikePollCallback(void *handle, int status, int events)");
  const handleBytes = program.func("size_t uv_handle_size(int type)") as (type: number) => number;
  return {
    loop: program.func("void *uv_default_loop()"),
    handleBytes: handleBytes(UV_POLL),
    init: program.func("int uv_poll_init(void *loop, void *handle, int fd)"),
    start: program.func("int uv_poll_start(void *handle, int events, TurnpikePollCallback *callback)"),
    stop: program.func("int uv_poll_stop(void *handle)"),
    close: program.func("void uv_close(void *handle, void *callback)"),
    register: (called) => koffi.register(called, koffi.pointer(callback)),
    unregister: (called) => koffi.unregister(called),
  };
};

/** A descriptor that the event loop watches. While it does, it keeps the process running. */
export class EventLoopPoll {
  readonly #functions: Functions;
  /** libuv's handle: its memory must stay where it is until the loop has let go of it. */
  readonly #handle: Buffer;
  readonly #callback: bigint;

  /**
   * `ready` is called once a turn of the event loop for as long as `fd` can be read. It must not throw.
   *
   * @throws on another thread than the main one, whose event loop cannot be reached, and where libuv's functions are missing.
   */
  constructor(fd: number, ready: () => void) {
    if (!isMainThread) throw new Error("it runs on the main thread only");
    this.#functions = loaded ??= load();
    this.#handle = Buffer.alloc(this.#functions.handleBytes);
    const result = this.#functions.init(this.#functions.loop(), this.#handle, fd);
    if (result < 0) throw new Error(`uv_poll_init: ${result}`);
    this.#callback = this.#functions.register(ready);
  }

  start(): void {
    this.#functions.start(this.#handle, UV_READABLE, this.#callback);
  }

  stop(): void {
    this.#functions.stop(this.#handle);
  }

  /** To be called before the descriptor is closed. */
  close(): void {
    const { close, unregister } = this.#functions;
    close(this.#handle, null);
    // The loop lets go of the handle at the end of this turn. Until then the closure keeps its memory.
    setImmediate(() => setImmediate(() => (this.#handle.fill(0), unregister(this.#callback))));
  }
}
