/**
 * The turns of a thread: each waits for packets, and for what libuv waits for; lets everything that has packets read them;
 * lets all of it send; and runs ticks and promises, as Node does after each of its callbacks. All engines of a thread share
 * one epoll instance, because a thread can wait in one place only.
 */
import { monotonicMs } from "../../../clock.ts";
import { loadLibuv } from "./libuv.ts";
import { MainThread } from "./main-thread.ts";
import { EPOLL_EVENT, type Sys } from "./sys.ts";
import type { Turn } from "./turn.ts";
import { WorkerThread, type OwnThread } from "./worker-thread.ts";

const MAX_EVENTS = 512;

/** Node's own function. @throws if it is missing. */
const tickCallback = (): (() => void) => {
  const { _tickCallback: run } = process as unknown as { readonly _tickCallback?: () => void };
  if (run === undefined) throw new Error("this version of Node is not known");
  return run;
};

/** Takes part in the turns. */
export interface Member {
  /** Descriptor `fd`, which the member watches, has an event. */
  ready(fd: number): void;
  /** Everything that was ready has been read. */
  turnEnds(): void;
}

export class Turns {
  readonly #sys: Sys;
  readonly #epoll: number;
  /** The descriptor that is readable while libuv has work. */
  readonly #backend: number;
  readonly #events: Buffer;
  readonly #fds: Int32Array;
  readonly #eventsAt: number;
  readonly #runTicks: () => void;
  readonly #thread: MainThread | WorkerThread;
  readonly #members: Member[] = [];
  /** By descriptor. */
  readonly #watchers: (Member | undefined)[] = [];
  #watched = 0;
  /** How long a turn looks for packets without sleeping after the last one, in milliseconds. */
  #busyPollMs = 0;
  #sleepAt = 0;

  /** @throws if this thread is neither the main thread nor, by `ownThread`, a worker. */
  constructor(sys: Sys, ownThread: OwnThread | undefined) {
    this.#sys = sys;
    this.#epoll = sys.epoll();
    this.#events = Buffer.alloc(MAX_EVENTS * EPOLL_EVENT.size);
    this.#fds = new Int32Array(this.#events.buffer, this.#events.byteOffset, this.#events.length / 4);
    this.#eventsAt = sys.addressOf(this.#events);
    try {
      this.#runTicks = tickCallback();
      const libuv = loadLibuv();
      this.#backend = libuv.backendFd(libuv.loop());
      sys.watch(this.#epoll, this.#backend);
      this.#thread = ownThread === undefined ? new MainThread(this.turn) : new WorkerThread(this.turn, ownThread);
    } catch (error) {
      sys.close(this.#epoll);
      throw error;
    }
  }

  get isEmpty(): boolean {
    return this.#members.length === 0;
  }

  join(member: Member, busyPollMs: number): void {
    this.#members.push(member);
    this.#busyPollMs = Math.max(this.#busyPollMs, busyPollMs);
  }

  leave(member: Member): void {
    for (const [fd, watcher] of this.#watchers.entries()) if (watcher === member) this.unwatch(fd);
    this.#members.splice(this.#members.indexOf(member), 1);
  }

  watch(member: Member, fd: number, events?: number): void {
    this.#sys.watch(this.#epoll, fd, events);
    this.#watchers[fd] = member;
    if (this.#watched++ === 0) this.#thread.start();
  }

  rewatch(fd: number, events: number): void {
    this.#sys.rewatch(this.#epoll, fd, events);
  }

  unwatch(fd: number): void {
    this.#sys.unwatch(this.#epoll, fd);
    this.#watchers[fd] = undefined;
    // A process with nothing to serve must be able to exit.
    if (--this.#watched === 0) this.#thread.stop();
  }

  close(): void {
    this.#thread.close();
    this.#sys.close(this.#epoll);
  }

  /** One turn, which waits `patienceMs` at most; without an end if that is negative. */
  readonly turn: Turn = (patienceMs) => {
    const count = this.#wait(patienceMs);
    let hasOthers = false;
    for (let index = 0; index < count; index++) {
      const fd = this.#fds[(index * EPOLL_EVENT.size + EPOLL_EVENT.data) >> 2] ?? -1;
      if (fd === this.#backend) hasOthers = true;
      // Another member may have stopped watching it in this turn.
      else this.#watchers[fd]?.ready(fd);
    }
    for (const member of this.#members) member.turnEnds();
    this.#runTicks();
    if (count <= 0) return "nothing";
    if (hasOthers) return "others";
    if (this.#busyPollMs > 0) this.#sleepAt = monotonicMs() + this.#busyPollMs;
    return "packets";
  };

  #wait(patienceMs: number): number {
    if (this.#busyPollMs > 0 && patienceMs !== 0)
      while (monotonicMs() < this.#sleepAt) {
        const count = this.#poll(0);
        if (count !== 0) return count;
      }
    return this.#poll(patienceMs);
  }

  #poll(patienceMs: number): number {
    return this.#sys.epollWait(this.#epoll, this.#eventsAt, MAX_EVENTS, patienceMs);
  }
}
