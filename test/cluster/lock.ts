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

const create = (file: string): boolean => {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
};

/** Removes what a holder that was killed has left; an empty file is one being written. */
const dropStale = (file: string): void => {
  try {
    const holder = Number(readFileSync(file, "utf8"));
    if (holder > 0 && !isAlive(holder)) rmSync(file, { force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
};

/** Whether this process now holds `file`: false if another does that still runs. */
export const take = (file: string): boolean => {
  if (create(file)) return true;
  dropStale(file);
  return create(file);
};

export const release = (file: string): void => rmSync(file, { force: true });

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
    release(file);
  }
};
