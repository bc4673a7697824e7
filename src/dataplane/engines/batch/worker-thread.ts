/**
 * Makes turns on a worker thread, one after the other, with a look at libuv's events in between. A handle of ours in its
 * libuv would end the process when the thread ends.
 */
import { monotonicMs } from "../../../clock.ts";
import type { Turn } from "./turn.ts";

/**
 * Turns without an event before a worker blocks: a packet that arrives meanwhile needs no wake-up, and libuv, which runs
 * once in each turn, starts to watch the descriptors that were registered last.
 */
const SPINS = 16;
/** Maximum time that it blocks: its timers are delayed as much. */
const STANDING_MS = 100;
/** Maximum time while requests wait for a timer. */
const BUSY_MS = 1;
/** Time that it stays with packets, without a look at timers and immediates. */
const STAY_MS = 1;

export interface OwnThread {
  readonly isBusy: () => boolean;
}

export class WorkerThread {
  readonly #turn: Turn;
  readonly #isBusy: () => boolean;
  /** Turns without an event. */
  #idle = 0;
  #isRunning = false;
  #isTurnDue = false;

  constructor(turn: Turn, { isBusy }: OwnThread) {
    this.#turn = turn;
    this.#isBusy = isBusy;
  }

  start(): void {
    this.#isRunning = true;
    this.#due();
  }

  stop(): void {
    this.#isRunning = false;
  }

  close(): void {
    this.stop();
  }

  #due(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setImmediate(this.#stay);
  }

  readonly #stay = (): void => {
    this.#isTurnDue = false;
    if (!this.#isRunning) return;
    let arrived = this.#turn(this.#patienceMs());
    this.#idle = arrived === "nothing" ? this.#idle + 1 : 0;
    const until = monotonicMs() + STAY_MS;
    while (arrived === "packets" && this.#isRunning && !this.#isBusy() && monotonicMs() < until)
      arrived = this.#turn(STAY_MS);
    if (this.#isRunning) this.#due();
  };

  #patienceMs(): number {
    if (this.#idle < SPINS) return 0;
    return this.#isBusy() ? BUSY_MS : STANDING_MS;
  }
}
