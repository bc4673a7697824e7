/**
 * Keeps control from delaying packets: requests get a share of each turn of the event loop, the rest wait for the next
 * turn, and what does not fit the queue is dropped. Signed requests come first, and are handled at once. Unsigned requests
 * get a quarter of the time at most, measured over a fifth of a second: a flood of them leaves the rest to other clients,
 * and many clients that arrive at once are answered without a pause.
 */
import { monotonicMs } from "../clock.ts";

const BUDGET_MILLISECONDS = 0.25;
const UNSIGNED_SHARE = 0.25;
/** Time for unsigned requests that an idle queue has saved up. */
const MAX_CREDIT_MILLISECONDS = 50;
const MAX_SIGNED = 2048;
const MAX_UNSIGNED = 2048;

export class ControlQueue {
  readonly #signed: (() => void)[] = [];
  readonly #unsigned: (() => void)[] = [];
  readonly #calm: (() => void)[] = [];
  #spent = 0;
  #isTurning = false;
  #credit = MAX_CREDIT_MILLISECONDS;
  #creditAt = monotonicMs();

  get waiting(): number {
    return this.#signed.length + this.#unsigned.length;
  }

  /** Whether the queue is full. */
  get isBusy(): boolean {
    return this.#spent >= BUDGET_MILLISECONDS || this.waiting > 0;
  }

  /** Runs `work`, now or soon; false if the queue is full. */
  do(work: () => void, isSigned: boolean): boolean {
    if (!this.isBusy) this.#do(work);
    else if (isSigned && this.#spent < BUDGET_MILLISECONDS && this.#signed.length === 0) this.#do(work);
    else {
      const queue = isSigned ? this.#signed : this.#unsigned;
      if (queue.length >= (isSigned ? MAX_SIGNED : MAX_UNSIGNED)) return false;
      queue.push(work);
    }
    if (!this.#isTurning) {
      this.#isTurning = true;
      setImmediate(this.#turn);
    }
    return true;
  }

  /** Calls back once the queue is empty. */
  whenCalm(then: () => void): void {
    if (this.isBusy) this.#calm.push(then);
    else then();
  }

  #do(work: () => void): void {
    const began = performance.now();
    work();
    this.#spent += performance.now() - began;
  }

  readonly #turn = (): void => {
    this.#spent = 0;
    this.#work(this.#signed);
    const beforeUnsigned = this.#spent;
    this.#work(this.#unsigned);
    this.#credit -= this.#spent - beforeUnsigned;
    // One at a time: each may add as much again.
    while (!this.isBusy && this.#calm.length > 0) this.#do(this.#calm.shift() ?? (() => undefined));
    this.#isTurning = this.#spent > 0 || this.isBusy || this.#calm.length > 0;
    if (!this.#isTurning) return;
    if (this.#signed.length === 0 && this.#unsigned.length > 0 && !this.#hasCredit()) setTimeout(this.#turn, 1).unref();
    else setImmediate(this.#turn);
  };

  #work(queue: (() => void)[]): void {
    let done = 0;
    for (; done < queue.length && this.#spent < BUDGET_MILLISECONDS; done++) this.#do(queue[done] ?? (() => undefined));
    queue.splice(0, done);
  }

  /** Whether unsigned requests have used less than their share of the time. */
  #hasCredit(): boolean {
    const now = monotonicMs();
    this.#credit = Math.min(MAX_CREDIT_MILLISECONDS, this.#credit + (now - this.#creditAt) * UNSIGNED_SHARE);
    this.#creditAt = now;
    return this.#credit > 0;
  }
}
