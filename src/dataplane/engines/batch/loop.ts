/**
 * The turns of the batch engine: each reads what has arrived and sends what waits. On the main thread libuv calls for a turn
 * when a packet arrives, so that timers, promises and messages get their time in between. A worker thread waits here
 * instead, for packets and for whatever libuv waits for: a handle of ours in its libuv would end the process with the thread.
 *
 * libuv calls past Node: promises and ticks that a turn leaves behind are not run when it ends. So a turn only moves packets,
 * and schedules everything else with `setImmediate`.
 */
import { EventLoopPoll } from "./event-loop-poll.ts";
import { loadLibuv } from "./libuv.ts";
import { EPOLL_EVENT, type Sys } from "./sys.ts";

const MAX_EVENTS = 512;
/**
 * Turns without an event before a worker stands still: a packet that arrives meanwhile finds it awake, and libuv, which has a
 * turn of its own in each, begins to watch what it was last asked to.
 */
const SPINS = 16;
/** How long it stands still at most: its timers wait as long. */
const STANDING_MS = 100;
/** And how long while requests wait for a timer of theirs. */
const BUSY_MS = 1;

export interface OwnThread {
  readonly isBusy: () => boolean;
}

export class Loop {
  readonly #sys: Sys;
  readonly #epoll: number;
  /** What libuv waits with; -1 on the main thread. */
  readonly #backend: number;
  readonly #events: Buffer;
  readonly #fds: Int32Array;
  readonly #eventsAt: number;
  readonly #ready: (fd: number) => void;
  readonly #turnEnds: () => void;
  /** One of the two: the worker that waits here, or the event loop that calls us. */
  readonly #ownThread: OwnThread | undefined;
  readonly #poll: EventLoopPoll | undefined;
  /** Turns of a worker without an event. */
  #idle = 0;
  #isTurnDue = false;
  #isClosed = false;
  #watched = 0;

  /**
   * `ready` is called for each descriptor for which something has come, `turnEnds` after all of them. `ownThread`: this is a worker.
   *
   * @throws where neither is so: without `ownThread`, it must be the main thread.
   */
  constructor(sys: Sys, ready: (fd: number) => void, turnEnds: () => void, ownThread: OwnThread | undefined) {
    this.#sys = sys;
    this.#ownThread = ownThread;
    this.#ready = ready;
    this.#turnEnds = turnEnds;
    this.#epoll = sys.epoll();
    this.#events = Buffer.alloc(MAX_EVENTS * EPOLL_EVENT.size);
    this.#fds = new Int32Array(this.#events.buffer, this.#events.byteOffset, this.#events.length / 4);
    this.#eventsAt = sys.addressOf(this.#events);
    this.#backend = -1;
    try {
      if (ownThread === undefined) this.#poll = new EventLoopPoll(this.#epoll, this.#called);
      else {
        const libuv = loadLibuv();
        this.#backend = libuv.backendFd(libuv.loop());
        sys.watch(this.#epoll, this.#backend);
      }
    } catch (error) {
      sys.close(this.#epoll);
      throw error;
    }
  }

  /** @param events what to look for: that it can be read, unless given. */
  watch(fd: number, events?: number): void {
    this.#sys.watch(this.#epoll, fd, events);
    if (this.#watched++ > 0) return;
    if (this.#poll === undefined) this.#due();
    else this.#poll.start();
  }

  /** Looks for other events of a descriptor that is watched. */
  rewatch(fd: number, events: number): void {
    this.#sys.rewatch(this.#epoll, fd, events);
  }

  /** To be called before `fd` is closed. */
  unwatch(fd: number): void {
    this.#sys.unwatch(this.#epoll, fd);
    // Nothing may keep the process that has nothing to serve.
    if (--this.#watched === 0) this.#poll?.stop();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#poll?.close();
    this.#sys.close(this.#epoll);
  }

  /** A turn follows, where Node runs what was scheduled. */
  readonly #due = (): void => {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setImmediate(this.#turn);
  };

  readonly #called = (): void => {
    try {
      this.#turn();
    } catch (error) {
      // Where Node reports it: libuv cannot.
      setImmediate(() => {
        throw error;
      });
    }
  };

  readonly #turn = (): void => {
    this.#isTurnDue = false;
    if (this.#isClosed) return;
    const count = this.#sys.epollWait(this.#epoll, this.#eventsAt, MAX_EVENTS, this.#patienceMs());
    // Whoever takes a packet may close this.
    for (let index = 0; index < count && !this.#isClosed; index++) {
      const fd = this.#fds[(index * EPOLL_EVENT.size + EPOLL_EVENT.data) >> 2] ?? -1;
      if (fd !== this.#backend) this.#ready(fd);
    }
    if (this.#isClosed) return;
    this.#turnEnds();
    // The event loop calls again.
    if (this.#poll !== undefined) return;
    this.#idle = count > 0 ? 0 : this.#idle + 1;
    if (this.#watched > 0) this.#due();
  };

  #patienceMs(): number {
    if (this.#ownThread === undefined || this.#idle < SPINS) return 0;
    return this.#ownThread.isBusy() ? BUSY_MS : STANDING_MS;
  }
}
