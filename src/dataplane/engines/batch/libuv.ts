/**
 * The event loop of this thread, through functions that Node exports for its add-ons: libuv's
 * (https://docs.libuv.org/en/v1.x/loop.html), and Node's function that returns the loop of a thread.
 */
import { createRequire } from "node:module";

/** Opaque: a `uv_loop_t *`. */
export type LoopPointer = unknown;

export interface Libuv {
  loop(): LoopPointer;
  /** A descriptor that is readable while the loop has work: a message, a socket of Node's, a finished job. */
  backendFd(loop: LoopPointer): number;
  readonly pollHandleBytes: number;
  readonly pollInit: (loop: LoopPointer, handle: Buffer, fd: number) => number;
  readonly pollStart: (handle: Buffer, events: number, callback: bigint) => number;
  readonly pollStop: (handle: Buffer) => number;
  readonly close: (handle: Buffer, callback: null) => void;
  /** Makes a `uv_poll_cb` of a function. */
  readonly register: (callback: () => void) => bigint;
  readonly unregister: (callback: bigint) => void;
}

const UV_POLL = 8;

let loaded: Libuv | undefined;

/** @throws if Node does not export these functions. */
export const loadLibuv = (): Libuv => {
  loaded ??= load();
  return loaded;
};

const load = (): Libuv => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const program = koffi.load(null);
  const callback = koffi.proto("void TurnpikePollCallback(void *handle, int status, int events)");
  // v8::Isolate::GetCurrent() and node::GetCurrentEventLoop(v8::Isolate *).
  const isolate = program.func("void *_ZN2v87Isolate10GetCurrentEv()") as () => unknown;
  const loopOf = program.func("void *_ZN4node19GetCurrentEventLoopEPN2v87IsolateE(void *isolate)") as (
    isolate: unknown,
  ) => LoopPointer;
  const handleBytes = program.func("size_t uv_handle_size(int type)") as (type: number) => number;
  return {
    loop: () => loopOf(isolate()),
    backendFd: program.func("int uv_backend_fd(void *loop)"),
    pollHandleBytes: handleBytes(UV_POLL),
    pollInit: program.func("int uv_poll_init(void *loop, void *handle, int fd)"),
    pollStart: program.func("int uv_poll_start(void *handle, int events, TurnpikePollCallback *callback)"),
    pollStop: program.func("int uv_poll_stop(void *handle)"),
    close: program.func("void uv_close(void *handle, void *callback)"),
    register: (called) => koffi.register(called, koffi.pointer(callback)),
    unregister: (called) => koffi.unregister(called),
  };
};
