/**
 * The turns of the batch engine: each reads what has arrived and sends what waits. On the main thread libuv starts a turn
 * when a packet arrives, so that timers, promises and messages run in between. A worker thread waits here instead, for
 * packets and for everything that libuv waits for: a handle of ours in its libuv would end the process when the thread
 * ends.
 *
 * libuv does not call through Node: promises and ticks that a turn creates do not run when it ends. So a turn only forwards
 * packets, and schedules everything else with `setImmediate`.
 */
import { EventLoopPoll } from "./event-loop-poll.ts";
import { loadLibuv } from "./libuv.ts";
import { EPOLL_EVENT, type Sys } from "./sys.ts";

const MAX_EVENTS = 512;
/**
 * Turns without an event before a worker blocks: a packet that arrives meanwhile needs no wake-up, and libuv, which runs
 * once in each turn, starts to watch the descriptors that were registered last.
 */
const SPINS = 16;
/** Maximum time that it blocks: its timers are delayed as much. */
const STANDING_MS = 100;
/** Maximum time while requests wait for a timer. */
const BUSY_MS = 1;

export interface OwnThread {
  readonly isBusy: () => boolean;
}

export class Loop {
  readonly #sys: Sys;
  readonly #epoll: number;
  /** The descriptor that libuv waits on; -1 on the main thread. */
  readonly #backend: number;
  readonly #events: Buffer;
  readonly #fds: Int32Array;
  readonly #eventsAt: number;
  readonly #ready: (fd: number) => void;
  readonly #turnEnds: () => void;
  /** One of the two is set: the worker that waits here, or the event loop that calls the turn. */
  readonly #ownThread: OwnThread | undefined;
  readonly #poll: EventLoopPoll | undefined;
  /** Turns of a worker without an event. */
  #idle = 0;
  #isTurnDue = false;
  #isClosed = false;
  #watched = 0;

  /**
   * `ready` is called for each descriptor that has an event, `turnEnds` after all of them. `ownThread`: this is a worker.
   *
   * @throws if the thread is neither: without `ownThread`, it must be the main thread.
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

  /** @param events to watch for; readability by default. */
  watch(fd: number, events?: number): void {
    this.#sys.watch(this.#epoll, fd, events);
    if (this.#watched++ > 0) return;
    if (this.#poll === undefined) this.#due();
    else this.#poll.start();
  }

  /** Changes the events for which a descriptor is watched. */
  rewatch(fd: number, events: number): void {
    this.#sys.rewatch(this.#epoll, fd, events);
  }

  /** Call this before `fd` is closed. */
  unwatch(fd: number): void {
    this.#sys.unwatch(this.#epoll, fd);
    // A process with nothing to serve must be able to exit.
    if (--this.#watched === 0) this.#poll?.stop();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#poll?.close();
    this.#sys.close(this.#epoll);
  }

  /** A turn follows, in which Node runs what was scheduled. */
  readonly #due = (): void => {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setImmediate(this.#turn);
  };

  readonly #called = (): void => {
    try {
      this.#turn();
    } catch (error) {
      // Node reports the error here: libuv cannot.
      setImmediate(() => {
        throw error;
      });
    }
  };

  readonly #turn = (): void => {
    this.#isTurnDue = false;
    if (this.#isClosed) return;
    const count = this.#sys.epollWait(this.#epoll, this.#eventsAt, MAX_EVENTS, this.#patienceMs());
    // `ready` may close this loop.
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
