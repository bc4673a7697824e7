/** Pending requests, retransmitted over transports that lose packets (RFC 8489 §6.2.1). */
import type { Message } from "../stun/message.ts";
import type { Transport } from "./transport.ts";

export interface TransactionTiming {
  /** Milliseconds until a request without an answer fails; 5000 by default. */
  readonly timeoutMilliseconds?: number | undefined;
  /** Milliseconds to the first retransmission over UDP, doubling from there; 500 by default. */
  readonly retransmitMilliseconds?: number | undefined;
}

interface Waiting {
  readonly resolve: (message: Message) => void;
  readonly reject: (error: Error) => void;
}

const keyOf = (transactionId: Buffer): string => transactionId.toString("hex");

export class Transactions {
  readonly #timing: TransactionTiming;
  readonly #waiting = new Map<string, Waiting>();

  constructor(timing: TransactionTiming) {
    this.#timing = timing;
  }

  /** Sends the request until it is answered. Rejects after the timeout, or when `end` is called. */
  send(bytes: Buffer, transactionId: Buffer, transport: Transport | undefined): Promise<Message> {
    const { timeoutMilliseconds = 5000, retransmitMilliseconds = 500 } = this.#timing;
    const key = keyOf(transactionId);
    return new Promise<Message>((resolve, reject) => {
      let resend: NodeJS.Timeout | undefined;
      const timer = setTimeout(() => settle(() => reject(new Error("no answer"))), timeoutMilliseconds);
      const settle = (done: () => void): void => {
        clearTimeout(timer);
        clearTimeout(resend);
        this.#waiting.delete(key);
        done();
      };
      const transmit = (wait: number): void => {
        transport?.send(bytes);
        if (transport?.isReliable === false) resend = setTimeout(() => transmit(wait * 2), wait);
      };
      this.#waiting.set(key, {
        resolve: (message) => settle(() => resolve(message)),
        reject: (error) => settle(() => reject(error)),
      });
      transmit(retransmitMilliseconds);
    });
  }

  /** Handles an answer; one without a pending request is ignored. */
  answered(message: Message): void {
    this.#waiting.get(keyOf(message.transactionId))?.resolve(message);
  }

  end(reason: string): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new Error(reason));
  }
}
