/** Clients outside a cluster, as a test has them: `caller.ts` in the network that reaches nodes only. */
import { fileURLToPath } from "node:url";
import type { Network } from "../cluster/nodes/wire.ts";
import type { Begun, Orders } from "./caller.ts";
import { startOutside } from "./process-outside.ts";

const script = fileURLToPath(new URL("caller.ts", import.meta.url));

export interface Caller extends Orders {
  close(): Promise<void>;
}

/** Starts it in `network`. */
export const startCaller = (network: Network): Caller => {
  const { ask, close } = startOutside(network, script);
  return {
    call: async (...args) => (await ask("call", args)) as Begun,
    flows: async (...args) => void (await ask("flows", args)),
    end: async (...args) => (await ask("end", args)) as Awaited<ReturnType<Orders["end"]>>,
    mapped: async (...args) => (await ask("mapped", args)) as string,
    opens: async (...args) => (await ask("opens", args)) as boolean,
    scan: async (...args) => (await ask("scan", args)) as Awaited<ReturnType<Orders["scan"]>>,
    get: async (...args) => (await ask("get", args)) as Awaited<ReturnType<Orders["get"]>>,
    refusal: async (...args) => (await ask("refusal", args)) as number | undefined,
    close,
  };
};
