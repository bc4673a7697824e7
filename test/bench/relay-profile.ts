/** Where the CPU time of a server goes: by system call, by perf, which looks at it two thousand times a second. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { whereIs } from "../cluster/process.ts";

/** Parts of the time, by the name of the system call; `user space`; `kernel, other`, which includes interrupts. */
export type Profile = ReadonlyMap<string, number>;

const SYSTEM_CALL = /\b__(?:x64|arm64)_sys_(\w+)/u;
const KERNEL = /\b(?:asm_\w+|entry_SYSCALL_64\w*|do_syscall_64|ret_from_fork\w*|el0t_64_\w+)\b/u;

const partOf = (stack: string): string =>
  SYSTEM_CALL.exec(stack)?.[1] ?? (KERNEL.test(stack) ? "kernel, other" : "user space");

/** Profiles process `pid` while `work` runs. @throws if perf is missing, or finds nothing. */
export const profiled = async <T>(pid: number, work: () => T): Promise<{ result: T; profile: Profile }> => {
  if (whereIs("perf") === undefined) throw new Error("missing: perf; on Debian: sudo apt-get install linux-perf");
  const folder = mkdtempSync(join(tmpdir(), "turnpike-profile-"));
  const file = join(folder, "perf.data");
  try {
    const recorder = spawn("perf", ["record", "-q", "-g", "-F", "1999", "-p", String(pid), "-o", file], {
      stdio: "ignore",
    });
    const ended = once(recorder, "exit");
    const result = work();
    recorder.kill("SIGINT");
    await ended;
    const { stdout } = spawnSync("perf", ["script", "-i", file, "-F", "ip,sym"], {
      encoding: "utf8",
      maxBuffer: 2 ** 30,
    });
    const stacks = stdout.split("\n\n").filter((stack) => stack.trim() !== "");
    if (stacks.length === 0) throw new Error("perf has no samples");
    const counts = new Map<string, number>();
    for (const stack of stacks) counts.set(partOf(stack), (counts.get(partOf(stack)) ?? 0) + 1);
    return { result, profile: new Map(Array.from(counts, ([part, count]) => [part, count / stacks.length])) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Parts of at least 1 % of `microseconds`, the largest first. */
export const showProfile = (profile: Profile, microseconds: number): string =>
  [...profile]
    .filter(([, part]) => part >= 0.01)
    .toSorted(([, one], [, other]) => other - one)
    .map(([name, part]) => `${name} ${(part * microseconds).toFixed(2)}`)
    .join(", ");
