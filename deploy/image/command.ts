/** Runs a program to its end. */
import { execFileSync } from "node:child_process";

export interface CommandOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** @returns what it printed. @throws Error with its complaint. */
export const command = (program: string, args: readonly string[], { cwd, env = {} }: CommandOptions): string =>
  execFileSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
    maxBuffer: 64 * 2 ** 20,
    stdio: ["ignore", "pipe", "inherit"],
  });
