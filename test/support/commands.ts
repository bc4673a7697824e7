/** The command line, as processes. Nothing of this process' environment is theirs but the PATH. */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";

const BIN = fileURLToPath(new URL("../../bin/", import.meta.url));

export interface Running {
  readonly child: ChildProcess;
  /** What it has printed on either stream. */
  readonly output: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves to the match once it has printed it. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves to the exit code, or to the signal that ended it. */
  readonly ended: Promise<number | string>;
  stop(signal?: "SIGTERM" | "SIGKILL" | "SIGINT"): Promise<number | string>;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The name it is called by. */
  readonly as?: string;
  /** The folder that has it; by default `bin/` of this checkout. */
  readonly bin?: string;
  /** Leaves its standard input open, which is `child.stdin`. */
  readonly input?: boolean;
}

export const launch = (
  args: readonly string[],
  { cwd, env = {}, as = "turnpike", bin = BIN, input = false }: CommandOptions = {},
): Running => {
  const child = spawn(join(bin, as), args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env["PATH"], ...env },
    stdio: [input ? "pipe" : "ignore", "pipe", "pipe"],
  });
  let output = "";
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString("utf8");
    stdout += chunk.toString("utf8");
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    output += chunk.toString("utf8");
    stderr += chunk.toString("utf8");
  });
  // Streams end behind the process.
  const ended = new Promise<number | string>((resolve) =>
    child.once("close", (code, signal) => resolve(signal ?? code ?? 0)),
  );
  return {
    child,
    get output() {
      return output;
    },
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    printed: (pattern) =>
      eventually(() => {
        const match = pattern.exec(output);
        if (match === null) throw new Error(`${pattern.source} is not in:\n${output}`);
        return match;
      }),
    ended,
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
  };
};

/** What a command prints on both streams. */
export const outputOf = async (args: readonly string[], options: CommandOptions = {}): Promise<string> => {
  const running = launch(args, options);
  await running.ended;
  return running.output;
};

export interface Ran {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export const turnpike = async (args: readonly string[], options: CommandOptions = {}): Promise<Ran> => {
  const running = launch(args, options);
  const code = await running.ended;
  return { code, stdout: running.stdout, stderr: running.stderr };
};
