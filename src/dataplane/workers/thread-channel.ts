/** Requests, answers and notifications between two threads. */
import { messageOf } from "../../errors.ts";
import type { MessagePort, Worker } from "node:worker_threads";

type Message =
  | { readonly ask: number; readonly what: string; readonly value: unknown }
  | { readonly answer: number; readonly value?: unknown; readonly error?: string }
  | { readonly tell: string; readonly value: unknown };

/** What the other side may request and notify, each with one value that can be cloned. */
export type Handlers = Readonly<Record<string, (value: never) => unknown>>;

export interface ThreadChannel {
  /** Rejects with the other side's error, or when the channel is closed. */
  ask<T>(what: string, value: unknown): Promise<T>;
  tell(what: string, value: unknown): void;
  /** Rejects pending requests. */
  close(reason: string): void;
}

export const openThreadChannel = (port: MessagePort | Worker, handlers: Handlers): ThreadChannel => {
  const waiting = new Map<
    number,
    { readonly resolve: (value: never) => void; readonly reject: (error: Error) => void }
  >();
  let last = 0;

  const send = (message: Message): void => port.postMessage(message);
  const handle = async (what: string, value: unknown): Promise<unknown> => handlers[what]?.(value as never);

  port.on("message", (message: Message) => {
    if ("tell" in message) void handle(message.tell, message.value);
    else if ("ask" in message)
      handle(message.what, message.value).then(
        (value) => send({ answer: message.ask, value }),
        (error: unknown) => send({ answer: message.ask, error: messageOf(error) }),
      );
    else {
      const waits = waiting.get(message.answer);
      waiting.delete(message.answer);
      if (message.error === undefined) waits?.resolve(message.value as never);
      else waits?.reject(new Error(message.error));
    }
  });

  return {
    ask: (what, value) =>
      new Promise((resolve, reject) => {
        const ask = (last += 1);
        waiting.set(ask, { resolve, reject });
        send({ ask, what, value });
      }),
    tell: (what, value) => send({ tell: what, value }),
    close(reason) {
      for (const { reject } of waiting.values()) reject(new Error(reason));
      waiting.clear();
    },
  };
};
