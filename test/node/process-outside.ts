/** A process in the network outside a cluster, which is controlled by messages; it cannot be the test's own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Network } from "../cluster/nodes/wire.ts";

export interface Order {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

export interface ProcessOutside {
  /** @returns what the order `name` of the process returns. @throws Error with its message; when the process has ended. */
  ask(name: string, args: readonly unknown[]): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts `script`, which calls `follow`, in `network`. */
export const startOutside = (network: Network, script: string): ProcessOutside => {
  const [program = "", ...args] = network.inside([process.execPath, "--disable-warning=ExperimentalWarning", script]);
  const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let last = 0;
  child.on("message", ({ id, value, error }: Answer) => {
    const one = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) one?.resolve(value);
    else one?.reject(new Error(error));
  });
  const ended = once(child, "exit");
  void ended.then(() => {
    for (const { reject } of waiting.values()) reject(new Error("the process outside has ended"));
  });
  return {
    ask: (name, args) =>
      new Promise((resolve, reject) => {
        last += 1;
        waiting.set(last, { resolve, reject });
        child.send({ id: last, name, args } satisfies Order);
      }),
    async close() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
};

/** In such a process: follows the messages, until the sender is gone. @param end what is to be done then. */
export const follow = (orders: object, end: () => Promise<unknown> = () => Promise.resolve()): void => {
  process.on("message", ({ id, name, args }: Order) => {
    const work = (orders as Readonly<Record<string, (...values: readonly unknown[]) => Promise<unknown>>>)[name];
    void (work?.(...args) ?? Promise.reject(new Error(`no order ${name}`))).then(
      (value) => process.send?.({ id, value } satisfies Answer),
      (error: unknown) => process.send?.({ id, error: String(error) } satisfies Answer),
    );
  });
  process.once("disconnect", () => void end().finally(() => process.exit()));
};
