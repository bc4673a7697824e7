/** A standalone gateway in a process of its own, so that a crash is a crash and its memory is its own. */
import { fork, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import type { ProgramState } from "../../src/admin/state.ts";
import { startStandalone } from "../../src/runtime/standalone.ts";
import { keepLog } from "./logs.ts";
import { freePort } from "./free-port.ts";
import { manifestsOf, type World } from "./live.ts";

export interface Memory {
  readonly heapUsed: number;
  readonly external: number;
}

type Question = "memory" | "stop";
type Answer = { readonly admin: string } | { readonly memory: Memory } | { readonly left: readonly string[] };

export interface GatewayProcess {
  readonly pid: number;
  readonly port: number;
  readonly journal: string;
  state(): Promise<ProgramState>;
  /** After a garbage collection. */
  memory(): Promise<Memory>;
  readonly hasCrashed: boolean;
  stop(): Promise<readonly string[]>;
  /** Removes its folder. */
  clean(): void;
}

const ask = async <T extends Answer>(child: ChildProcess, question?: Question): Promise<T> =>
  new Promise((resolve, reject) => {
    const exit = (code: number | null) => reject(new Error(`the gateway's process ended with ${code}`));
    child.once("exit", exit);
    child.once("message", (answer) => {
      child.off("exit", exit);
      resolve(answer as T);
    });
    if (question !== undefined) child.send(question);
  });

export const startGatewayProcess = async (world: World = {}): Promise<GatewayProcess> => {
  const root = mkdtempSync(join(tmpdir(), "turnpike-process-"));
  const port = await freePort("127.0.0.1");
  writeFileSync(join(root, "manifests.yaml"), manifestsOf({ ...world, port }));
  const child = fork(fileURLToPath(import.meta.url), [root], {
    execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
  });
  const { admin } = await ask<{ admin: string }>(child);
  return {
    pid: child.pid!,
    port,
    journal: join(root, "journal"),
    state: async () => (await (await fetch(`http://${admin}/api/v1/state`)).json()) as ProgramState,
    memory: async () => (await ask<{ memory: Memory }>(child, "memory")).memory,
    get hasCrashed() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    stop: async () => {
      const { left } = await ask<{ left: readonly string[] }>(child, "stop");
      return left;
    },
    clean: () => {
      keepLog(join(root, "journal"));
      rmSync(root, { recursive: true });
    },
  };
};

const serve = async (root: string): Promise<void> => {
  const standalone = await startStandalone({
    directory: root,
    addresses: ["127.0.0.1"],
    journal: join(root, "journal"),
    admin: { host: "127.0.0.1", port: 0 },
    log: pino({ level: "silent" }),
  });
  await standalone.started;
  process.on("message", (question: Question) => {
    if (question === "memory") {
      globalThis.gc?.();
      const { heapUsed, external } = process.memoryUsage();
      process.send?.({ memory: { heapUsed, external } });
    } else void standalone.stop("test").then((left) => process.send?.({ left }, () => process.exit(0)));
  });
  process.send?.({ admin: `${standalone.admin.host}:${standalone.admin.port}` });
};

const [, script, root] = process.argv;
if (script === fileURLToPath(import.meta.url) && root !== undefined) await serve(root);
