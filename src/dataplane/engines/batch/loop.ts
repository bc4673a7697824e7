/**
 * The turns of the batch engine: as long as packets come, one a turn of Node's own event loop, so that timers, promises and
 * messages get theirs; then it waits elsewhere, without a thread of ours standing still, or, on a thread of its own, where it is.
 */
import { EPOLL_EVENT, type Sys } from "./sys.ts";

const MAX_EVENTS = 512;
/** Turns without a packet before it waits: a packet that comes meanwhile needs no thread to be woken. */
const SPINS = 16;
/** How long a thread of its own stands still at most: its timers and messages wait as long, unless somebody wakes it. */
const STANDING_MS = 100;
/** And how long while requests wait for a timer of theirs. */
const BUSY_MS = 1;

/** Loops that wait elsewhere. Node ends only when that thread returns, also after an exception that nobody caught. */
const waiting = new Set<Loop>();
let isGuarded = false;

const guardExit = (): void => {
  if (isGuarded) return;
  isGuarded = true;
  process.on("exit", () => {
    for (const loop of waiting) loop.wake();
  });
};

export interface OwnThread {
  readonly isBusy: () => boolean;
}

export class Loop {
  readonly #sys: Sys;
  readonly #epoll: number;
  readonly #eventfd: number;
  readonly #events: Buffer;
  readonly #fds: Int32Array;
  readonly #eventsAt: number;
  readonly #ready: (fd: number) => void;
  readonly #turnEnds: () => void;
  readonly #ownThread: OwnThread | undefined;
  /** What the waiting thread writes to; nobody reads it. */
  readonly #elsewhere = Buffer.alloc(EPOLL_EVENT.size);
  readonly #elsewhereAt: number;
  #idle = 0;
  #state: "stopped" | "turning" | "waiting" = "stopped";
  #isClosed = false;
  #watched = 0;

  /**
   * `ready` is called for each descriptor that can be read, `turnEnds` after all of them. `ownThread`: there is nothing else
   * on this thread.
   */
  constructor(sys: Sys, ready: (fd: number) => void, turnEnds: () => void, ownThread: OwnThread | undefined) {
    this.#sys = sys;
    this.#ownThread = ownThread;
    this.#ready = ready;
    this.#turnEnds = turnEnds;
    this.#epoll = sys.epoll();
    this.#eventfd = sys.eventfd();
    sys.watch(this.#epoll, this.#eventfd);
    this.#events = Buffer.alloc(MAX_EVENTS * EPOLL_EVENT.size);
    this.#fds = new Int32Array(this.#events.buffer, this.#events.byteOffset, this.#events.length / 4);
    this.#eventsAt = sys.addressOf(this.#events);
    this.#elsewhereAt = sys.addressOf(this.#elsewhere);
    guardExit();
  }

  /** An eventfd: writing to it ends a wait. */
  get wakeFd(): number {
    return this.#eventfd;
  }

  /** Ends a wait. */
  wake(): void {
    this.#sys.wake(this.#eventfd);
  }

  watch(fd: number): void {
    this.#sys.watch(this.#epoll, fd);
    this.#watched++;
    if (this.#state === "stopped") {
      this.#state = "turning";
      setImmediate(this.#turn);
    }
  }

  /** To be called before `fd` is closed. */
  unwatch(fd: number): void {
    this.#sys.unwatch(this.#epoll, fd);
    this.#watched--;
    // Nothing may keep the process that has nothing to serve.
    if (this.#watched === 0 && this.#state === "waiting") this.wake();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#state === "waiting") this.wake();
    else this.#end();
  }

  readonly #turn = (): void => {
    if (this.#isClosed) return;
    const patienceMs =
      this.#ownThread === undefined || this.#idle < SPINS ? 0 : this.#ownThread.isBusy() ? BUSY_MS : STANDING_MS;
    const count = this.#sys.epollWait(this.#epoll, this.#eventsAt, MAX_EVENTS, patienceMs);
    for (let index = 0; index < count; index++) {
      const fd = this.#fds[(index * EPOLL_EVENT.size + EPOLL_EVENT.data) >> 2] ?? -1;
      if (fd === this.#eventfd) this.#sys.calm(fd);
      else this.#ready(fd);
    }
    this.#turnEnds();
    this.#idle = count > 0 ? 0 : this.#idle + 1;
    if (this.#isClosed) this.#end();
    else if (this.#watched === 0) this.#state = "stopped";
    else if (this.#ownThread !== undefined || this.#idle < SPINS) setImmediate(this.#turn);
    else {
      this.#state = "waiting";
      waiting.add(this);
      this.#sys.epollWaitElsewhere(this.#epoll, this.#elsewhereAt, 1, -1, this.#woken);
    }
  };

  readonly #woken = (): void => {
    waiting.delete(this);
    this.#state = "turning";
    this.#idle = 0;
    if (this.#isClosed) this.#end();
    else this.#turn();
  };

  #end(): void {
    if (this.#state === "waiting") return;
    this.#state = "stopped";
    this.#sys.close(this.#epoll);
    this.#sys.close(this.#eventfd);
  }
}
