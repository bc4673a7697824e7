/** Processes that do not outlive this one, whatever ends it. */
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, closeSync, constants, openSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Path of a command, looked for in `folders` as a shell would: one with a slash is where it says. */
export const whereIs = (
  command: string,
  folders: readonly string[] = (process.env["PATH"] ?? "").split(delimiter),
): string | undefined =>
  folders
    .filter((folder) => folder !== "")
    .map((folder) => (command.includes("/") ? command : join(folder, command)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

/**
 * The same command, ended by the kernel when the thread that starts it ends (Linux; elsewhere only an orderly stop ends
 * it). `setpriv` replaces itself with the command, so the process id is the command's.
 */
export const tiedToUs = (
  signal: "KILL" | "TERM",
  command: readonly string[],
): readonly [command: string, ...args: string[]] => {
  const setpriv = process.platform === "linux" ? whereIs("setpriv") : undefined;
  const [program = "", ...args] = command;
  return setpriv === undefined ? [program, ...args] : [setpriv, "--pdeathsig", signal, program, ...args];
};

export interface ServerProcess {
  readonly pid: number;
  /** Settles when the process has ended, with how. */
  readonly ended: Promise<string>;
  readonly isRunning: boolean;
  /** SIGSTOP: connections stay open and nobody answers. */
  pause(): void;
  resume(): void;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
}

/** Starts a server whose output goes to the end of the file `log`. */
export const startServer = (command: readonly string[], log: string): ServerProcess => {
  const output = openSync(log, "a");
  const [program, ...args] = tiedToUs("KILL", command);
  // A group of its own: an interrupt typed at the terminal is for us to act on.
  const child: ChildProcess = spawn(program, args, { stdio: ["ignore", output, output], detached: true });
  closeSync(output);
  let isRunning = true;
  const ended = new Promise<string>((resolve) => {
    const settle = (how: string): void => {
      isRunning = false;
      resolve(how);
    };
    child.once("error", ({ message }) => settle(message));
    child.once("exit", (code, signal) => settle(signal === null ? `exit code ${code}` : signal));
  });
  return {
    pid: child.pid ?? 0,
    ended,
    get isRunning() {
      return isRunning;
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
};
