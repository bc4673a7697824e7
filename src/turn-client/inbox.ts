/** Packets from peers, until they are read. */
import type { TransportAddress } from "../net/address.ts";

export interface Received {
  readonly data: Buffer;
  /** `attempt`: a TCP peer has connected, there is no data. */
  readonly via: "channel" | "indication" | "attempt";
  readonly channel?: number;
  readonly connectionId?: number;
  readonly peer?: TransportAddress;
}

interface Receiver {
  readonly resolve: (received: Received) => void;
  readonly reject: (error: Error) => void;
}

export class Inbox {
  readonly #received: Received[] = [];
  readonly #receivers: Receiver[] = [];
  #ended: string | undefined;

  put(received: Received): void {
    const receiver = this.#receivers.shift();
    if (receiver === undefined) this.#received.push(received);
    else receiver.resolve(received);
  }

  /** The next packet; earlier packets are kept. Rejects after `timeoutMilliseconds`, and when nothing more can arrive. */
  next(timeoutMilliseconds: number): Promise<Received> {
    const ready = this.#received.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#ended !== undefined) return Promise.reject(new Error(this.#ended));
    return new Promise((resolve, reject) => {
      const receiver = {
        resolve: (received: Received) => {
          clearTimeout(timer);
          resolve(received);
        },
        reject: (error: Error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        this.#receivers.splice(this.#receivers.indexOf(receiver), 1);
        reject(new Error(`no packet within ${timeoutMilliseconds} ms`));
      }, timeoutMilliseconds);
      this.#receivers.push(receiver);
    });
  }

  end(reason: string): void {
    this.#ended ??= reason;
    for (const receiver of this.#receivers.splice(0)) receiver.reject(new Error(reason));
  }
}
