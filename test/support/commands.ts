/** The command line, as processes. Nothing of this process' environment is theirs but the PATH. */
import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";

const TURNPIKE = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));

export interface Running {
  readonly child: ChildProcess;
  /** What it has printed on either stream. */
  readonly output: string;
  /** Resolves to the match once it has printed it. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves to the exit code, or to the signal that ended it. */
  readonly ended: Promise<number | string>;
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<number | string>;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export const launch = (args: readonly string[], { cwd, env = {} }: CommandOptions = {}): Running => {
  const child = spawn(TURNPIKE, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  // Streams end behind the process.
  const ended = new Promise<number | string>((resolve) =>
    child.once("close", (code, signal) => resolve(signal ?? code ?? 0)),
  );
  return {
    child,
    get output() {
      return output;
    },
    printed: (pattern) =>
      vi.waitFor(
        () => {
          const match = pattern.exec(output);
          if (match === null) throw new Error(`${pattern.source} is not in:\n${output}`);
          return match;
        },
        { timeout: 20_000, interval: 10 },
      ),
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
