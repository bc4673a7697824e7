/** An engine's part in the turns of its thread: the descriptors that it watches. */
import type { Sys } from "./sys.ts";
import { Turns, type Member } from "./turns.ts";
import type { OwnThread } from "./worker-thread.ts";

/** Those of this thread, while there are members. */
let turns: Turns | undefined;

export interface LoopOptions {
  /** This thread is a worker. */
  readonly ownThread?: OwnThread | undefined;
  /** How long to look for packets without sleeping after the last one, in milliseconds; 0 by default. */
  readonly busyPollMs?: number | undefined;
}

export class Loop {
  readonly #turns: Turns;
  readonly #member: Member;
  #isClosed = false;

  /**
   * `ready` is called for each descriptor that has an event, `turnEnds` after all of them.
   *
   * @throws if the thread is neither a worker, by `ownThread`, nor the main thread.
   */
  constructor(
    sys: Sys,
    ready: (fd: number) => void,
    turnEnds: () => void,
    { ownThread, busyPollMs = 0 }: LoopOptions = {},
  ) {
    turns ??= new Turns(sys, ownThread);
    this.#turns = turns;
    this.#member = { ready, turnEnds };
    this.#turns.join(this.#member, busyPollMs);
  }

  /** @param events to watch for; readability by default. */
  watch(fd: number, events?: number): void {
    this.#turns.watch(this.#member, fd, events);
  }

  /** Changes the events for which a descriptor is watched. */
  rewatch(fd: number, events: number): void {
    this.#turns.rewatch(fd, events);
  }

  /** Call this before `fd` is closed. */
  unwatch(fd: number): void {
    this.#turns.unwatch(fd);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#turns.leave(this.#member);
    if (!this.#turns.isEmpty) return;
    turns = undefined;
    this.#turns.close();
  }
}
