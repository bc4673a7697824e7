/** An operator in a process of its own, which ends by SIGKILL. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { OperatorOptions } from "../../src/runtime/operator.ts";
import { tiedToUs } from "./process.ts";

/** Settings of the process; must be JSON. */
export interface Killable {
  readonly options: Omit<OperatorOptions, "log">;
  /** It kills itself while it writes this line of its log, counted from 1, once `share` of it is written. */
  readonly line?: { readonly number: number; readonly share: number };
}

export interface KillableOperator {
  readonly isAlive: boolean;
  /** SIGKILL; resolves when it is dead. */
  kill(): Promise<void>;
  /** SIGTERM. */
  stop(): void;
  /** The signal that ended it; nothing if it ended by itself. */
  readonly ended: Promise<NodeJS.Signals | null>;
}

const program = fileURLToPath(new URL("killable-main.ts", import.meta.url));

/** @param cache folder in which such processes keep what they have compiled. */
export const startKillable = (killable: Killable, cache: string): KillableOperator => {
  const [command, ...args] = tiedToUs("KILL", [process.execPath, program, JSON.stringify(killable)]);
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });
  let isAlive = true;
  const ended = once(child, "exit").then(([, signal]) => {
    isAlive = false;
    return signal as NodeJS.Signals | null;
  });
  return {
    get isAlive() {
      return isAlive;
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    stop: () => void child.kill("SIGTERM"),
    ended,
  };
};
