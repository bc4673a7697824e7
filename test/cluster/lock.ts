/** One process at a time. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as after } from "node:timers/promises";

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};

const take = (file: string): boolean => {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  try {
    const holder = Number(readFileSync(file, "utf8"));
    // A holder that was killed left its file; an empty file is one being written.
    if (holder > 0 && !isAlive(holder)) rmSync(file, { force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return false;
};

/** Does `work` while this process holds `file`; calls `waiting` once if another holds it. */
export const exclusively = async <T>(file: string, work: () => Promise<T>, waiting: () => void): Promise<T> => {
  mkdirSync(dirname(file), { recursive: true });
  for (let tries = 0; !take(file); tries += 1) {
    if (tries === 1) waiting();
    await after(200);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
};
