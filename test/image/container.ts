/**
 * Runs a program of an assembled image as Kubernetes would: its file system read-only but for `/tmp`, as the image's user,
 * without capabilities, first process of its own; in the network of this process. It needs Linux and root.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tiedToUs } from "../cluster/process.ts";
import type { Ran, Running } from "../support/commands.ts";
import { readDockerfile } from "../../deploy/image/dockerfile.ts";
import { eventually } from "../support/eventually.ts";

export interface ContainerOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Files of this machine by their paths in the container. */
  readonly files?: Readonly<Record<string, string>>;
  /** What runs programs of another machine: a file of this one. */
  readonly emulator?: string;
}

const EMULATOR = "/emulator";

/** A mount namespace dies with its last process, and all of this with it. */
const SCRIPT = `set -e
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=$image,upperdir=$work/upper,workdir=$work/work" "$work/root"
cd "$work/root"
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs dev
for one in null zero random urandom; do touch "dev/$one"; mount --bind "/dev/$one" "dev/$one"; done
mount -t tmpfs -o mode=1777 tmpfs tmp
while [ "$1" != -- ]; do
  mkdir -p "$(dirname ".$2")"; touch ".$2"; mount --bind "$1" ".$2"; shift 2
done
shift
mount -o remount,ro "$work/root"
exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid "$@"`;

/** @param command with its arguments, found as the image's PATH says. */
export const startContainer = (
  image: string,
  command: readonly string[],
  { env = {}, files = {}, emulator }: ContainerOptions = {},
): Running => {
  const settings = readDockerfile();
  const work = mkdtempSync(join(tmpdir(), "turnpike-container-"));
  const mounts = { ...files, ...(emulator === undefined ? {} : { [EMULATOR]: emulator }) };
  const environment = Object.entries({ ...settings.env, ...env }).map(([name, value]) => `${name}=${value}`);
  const unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"];
  const change = ["/usr/sbin/chroot", `--userspec=${settings.user}`, "--groups=", join(work, "root")];
  const [program, ...args] = tiedToUs("KILL", [
    ...unshare,
    "sh",
    "-c",
    SCRIPT,
    "sh",
    ...Object.entries(mounts).flatMap(([at, source]) => [source, at]),
    "--",
    "env",
    "-i",
    ...environment,
    ...change,
    ...(emulator === undefined ? [] : [EMULATOR]),
    ...command,
  ]);
  const child = spawn(program, args, {
    env: { PATH: process.env["PATH"], image, work },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const streams = { stdout: "", stderr: "", output: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (chunk: Buffer) => {
      streams[name] += chunk.toString("utf8");
      streams.output += chunk.toString("utf8");
    });
  const ended = new Promise<number | string>((resolve) =>
    child.once("close", (code, signal) => {
      rmSync(work, { recursive: true });
      resolve(signal ?? code ?? 0);
    }),
  );
  return {
    child,
    get output() {
      return streams.output;
    },
    get stdout() {
      return streams.stdout;
    },
    get stderr() {
      return streams.stderr;
    },
    printed: (pattern) =>
      eventually(() => {
        const match = pattern.exec(streams.output);
        if (match === null) throw new Error(`${pattern.source} is not in:\n${streams.output}`);
        return match;
      }),
    ended,
    stop(signal = "SIGTERM") {
      // `unshare` hands on no signals.
      const children = `/proc/${child.pid}/task/${child.pid}/children`;
      if (child.exitCode === null && existsSync(children)) {
        const inside = readFileSync(children, "utf8").trim();
        if (inside !== "") process.kill(Number(inside), signal);
      }
      return ended;
    },
  };
};

/** Runs it to its end. */
export const runContainer = async (
  image: string,
  command: readonly string[],
  options: ContainerOptions = {},
): Promise<Ran> => {
  const running = startContainer(image, command, options);
  const code = await running.ended;
  return { code, stdout: running.stdout, stderr: running.stderr };
};
