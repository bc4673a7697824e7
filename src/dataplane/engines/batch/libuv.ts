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
  /**
   * Milliseconds, from the time of `updateTime`, that the loop may wait; −1: without an end. 0 if it has work, and if it has
   * yet to watch a descriptor, which it does when it waits next: until then `backendFd` does not tell of that one.
   */
  readonly backendTimeout: (loop: LoopPointer) => number;
  readonly updateTime: (loop: LoopPointer) => void;
  readonly prepareHandleBytes: number;
  readonly prepareInit: (loop: LoopPointer, handle: Buffer) => number;
  readonly prepareStart: (handle: Buffer, callback: bigint) => number;
  readonly prepareStop: (handle: Buffer) => number;
  readonly close: (handle: Buffer, callback: null) => void;
  /** Makes a `uv_prepare_cb` of a function. */
  readonly register: (callback: () => void) => bigint;
  readonly unregister: (callback: bigint) => void;
}

const UV_PREPARE = 9;

let loaded: Libuv | undefined;

/** @throws if Node does not export these functions. */
export const loadLibuv = (): Libuv => {
  loaded ??= load();
  return loaded;
};

const load = (): Libuv => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const program = koffi.load(null);
  const callback = koffi.proto("void TurnpikePrepareCallback(void *handle)");
  // v8::Isolate::GetCurrent() and node::GetCurrentEventLoop(v8::Isolate *).
  const isolate = program.func("void *_ZN2v87Isolate10GetCurrentEv()") as () => unknown;
  const loopOf = program.func("void *_ZN4node19GetCurrentEventLoopEPN2v87IsolateE(void *isolate)") as (
    isolate: unknown,
  ) => LoopPointer;
  const handleBytes = program.func("size_t uv_handle_size(int type)") as (type: number) => number;
  return {
    loop: () => loopOf(isolate()),
    backendFd: program.func("int uv_backend_fd(void *loop)"),
    backendTimeout: program.func("int uv_backend_timeout(void *loop)"),
    updateTime: program.func("void uv_update_time(void *loop)"),
    prepareHandleBytes: handleBytes(UV_PREPARE),
    prepareInit: program.func("int uv_prepare_init(void *loop, void *handle)"),
    prepareStart: program.func("int uv_prepare_start(void *handle, TurnpikePrepareCallback *callback)"),
    prepareStop: program.func("int uv_prepare_stop(void *handle)"),
    close: program.func("void uv_close(void *handle, void *callback)"),
    register: (called) => koffi.register(called, koffi.pointer(callback)),
    unregister: (called) => koffi.unregister(called),
  };
};
