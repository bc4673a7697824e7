/** What a cluster takes of this machine (Linux). */
import { readdirSync, readFileSync } from "node:fs";
import { run } from "./nodes/wire.ts";

const parentOf = (pid: string): string => {
  try {
    // The name before it may contain anything.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? "";
  } catch {
    return "";
  }
};

const bytesOf = (pid: string): number => {
  try {
    const [, kilobytes = "0"] = /^Pss: +(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
    return Number(kilobytes) * 1024;
  } catch {
    return 0;
  }
};

/** Memory of this process and of all below it, what is shared counted once, in bytes. */
export const memoryOfAll = (): number => {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const parents = new Map(pids.map((pid) => [pid, parentOf(pid)]));
  const isOurs = (pid: string | undefined): boolean =>
    pid !== undefined && (pid === String(process.pid) || isOurs(parents.get(pid)));
  return pids.filter(isOurs).reduce((sum, pid) => sum + bytesOf(pid), 0);
};

/** Of a folder, in bytes. */
export const diskOf = (folder: string): number => Number(run(["du", "--summarize", "--bytes", folder]).split("\t")[0]);
