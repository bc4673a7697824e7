/** Clients outside a cluster, as a test has them: `caller.ts` in the network that reaches nodes only. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Network } from "../cluster/nodes/wire.ts";
import type { Answer, Begun, Orders } from "./caller.ts";

const script = fileURLToPath(new URL("caller.ts", import.meta.url));

export interface Caller extends Orders {
  close(): Promise<void>;
}

/** Starts it in `network`. */
export const startCaller = async (network: Network): Promise<Caller> => {
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
    for (const { reject } of waiting.values()) reject(new Error("the client outside has ended"));
  });
  const ask = (name: keyof Orders, args: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject });
      child.send({ id: last, name, args });
    });
  return {
    call: async (...args) => (await ask("call", args)) as Begun,
    flows: async (...args) => void (await ask("flows", args)),
    end: async (...args) => (await ask("end", args)) as Awaited<ReturnType<Orders["end"]>>,
    mapped: async (...args) => (await ask("mapped", args)) as string,
    opens: async (...args) => (await ask("opens", args)) as boolean,
    get: async (...args) => (await ask("get", args)) as Awaited<ReturnType<Orders["get"]>>,
    refusal: async (...args) => (await ask("refusal", args)) as number | undefined,
    async close() {
      child.kill("SIGKILL");
      await ended;
    },
  };
};
