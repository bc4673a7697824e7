/** One writer per log: a second one would interleave its sequence numbers. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TurnpikeError } from "../errors.ts";

/** When a process started, in the system's units: a process id is reused, but not with the same start. */
const startOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[19] ?? "";
  } catch {
    return "";
  }
};

const isRunning = (pid: number, start: string): boolean => {
  try {
    process.kill(pid, 0);
    return startOf(pid) === start;
  } catch {
    return false;
  }
};

/** The process of the lock with this `content`, if it is another one and it runs. */
const holderOf = (content: string): number | undefined => {
  const [pid = "", start = ""] = content.split(" ");
  const isOther = Number(pid) > 0 && Number(pid) !== process.pid;
  return isOther && isRunning(Number(pid), start) ? Number(pid) : undefined;
};

const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;

const readLock = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
};

/** Removes a stale lock, but not a lock that another process has created meanwhile. */
const removeStale = (path: string): void => {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    if (holderOf(readFileSync(aside, "utf8")) !== undefined) linkSync(aside, path);
  } catch (error) {
    if (!isCode(error, "ENOENT") && !isCode(error, "EEXIST")) throw error;
  }
  rmSync(aside, { force: true });
};

/**
 * Makes this process the writer of `folder`, which is created if it is absent. A process may lock a folder again.
 * @returns the path of the lock, whose removal unlocks the folder. @throws TurnpikeError `journal-busy`.
 */
export const lockFolder = (folder: string): string => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, "lock");
  // Written before it is linked: no process reads half a lock.
  const own = `${path}.${process.pid}.new`;
  writeFileSync(own, `${process.pid} ${startOf(process.pid)}`, { mode: 0o600 });
  try {
    for (;;) {
      try {
        linkSync(own, path);
        return path;
      } catch (error) {
        if (!isCode(error, "EEXIST")) throw error;
      }
      const holder = holderOf(readLock(path) ?? "");
      if (holder !== undefined) throw new TurnpikeError("journal-busy", `process ${holder} is writing to ${folder}`);
      removeStale(path);
    }
  } finally {
    rmSync(own, { force: true });
  }
};
