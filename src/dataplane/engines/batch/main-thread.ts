/**
 * Makes turns on the main thread, in place of libuv's own wait: each time libuv is about to wait for events (a
 * `uv_prepare_t`, https://docs.libuv.org/en/v1.x/prepare.html), the turn waits for libuv's events and for packets at once,
 * and stays as long as only packets arrive. So a packet costs no system calls but those that wait for it, receive it and
 * send it.
 */
import { isMainThread } from "node:worker_threads";
import { loadLibuv, type Libuv, type LoopPointer } from "./libuv.ts";
import type { Turn } from "./turn.ts";

const nothing = (): void => undefined;

export class MainThread {
  readonly #turn: Turn;
  readonly #libuv: Libuv;
  readonly #loop: LoopPointer;
  /** libuv's handle: its memory must not move or be freed until the loop has closed it. */
  readonly #handle: Buffer;
  readonly #callback: bigint;
  #isRunning = false;

  /**
   * @throws on a thread other than the main one, because libuv aborts the process when a thread ends with such a handle
   * open; and if libuv's functions are missing.
   */
  constructor(turn: Turn) {
    if (!isMainThread) throw new Error("it runs on the main thread only");
    this.#turn = turn;
    this.#libuv = loadLibuv();
    this.#loop = this.#libuv.loop();
    this.#handle = Buffer.alloc(this.#libuv.prepareHandleBytes);
    const result = this.#libuv.prepareInit(this.#loop, this.#handle);
    if (result < 0) throw new Error(`uv_prepare_init: ${result}`);
    this.#callback = this.#libuv.register(this.#beforeWait);
  }

  /** While turns are made, the process keeps running. */
  start(): void {
    this.#isRunning = true;
    this.#libuv.prepareStart(this.#handle, this.#callback);
  }

  stop(): void {
    this.#isRunning = false;
    this.#libuv.prepareStop(this.#handle);
  }

  close(): void {
    this.#isRunning = false;
    const { close, unregister } = this.#libuv;
    close(this.#handle, null);
    // The loop closes the handle at the end of this turn. Until then the closure keeps its memory.
    setImmediate(() => setImmediate(() => (this.#handle.fill(0), unregister(this.#callback))));
  }

  readonly #beforeWait = (): void => {
    const { updateTime, backendTimeout } = this.#libuv;
    try {
      for (;;) {
        const patienceMs = backendTimeout(this.#loop);
        const arrived = this.#turn(patienceMs);
        updateTime(this.#loop);
        if (patienceMs === 0 || arrived !== "packets" || !this.#isRunning) break;
      }
    } catch (error) {
      // Node reports the error here: libuv cannot.
      setImmediate(() => {
        throw error;
      });
    }
    // With something to run, libuv does not wait: it would not see packets.
    if (this.#isRunning) setImmediate(nothing);
  };
}
