/** Cgroups of nodes, version 1 or 2. They outlive processes: `reaper.ts`. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const CGROUPS = "/sys/fs/cgroup";
/** What kubelet and runc need. */
const CONTROLLERS = ["cpu", "cpuset", "memory", "pids"] as const;

const isUnified = (): boolean => existsSync(join(CGROUPS, "cgroup.controllers"));

/** Controllers that this machine lacks. */
export const missingControllers = (): readonly string[] => {
  const there = isUnified()
    ? readFileSync(join(CGROUPS, "cgroup.controllers"), "utf8").trim().split(" ")
    : existsSync(CGROUPS)
      ? readdirSync(CGROUPS)
      : [];
  return CONTROLLERS.filter((name) => !there.includes(name));
};

const hierarchies = (): readonly string[] =>
  isUnified()
    ? [CGROUPS]
    : readdirSync(CGROUPS, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => join(CGROUPS, name));

/** Makes cgroup `name` in each hierarchy, with all the processors and memory there are. */
export const makeCgroup = (name: string): void => {
  for (const hierarchy of hierarchies()) {
    const folder = join(hierarchy, name);
    mkdirSync(folder, { recursive: true });
    for (const file of ["cpuset.cpus", "cpuset.mems"])
      if (!isUnified() && existsSync(join(folder, file)))
        writeFileSync(join(folder, file), readFileSync(join(hierarchy, file), "utf8"));
  }
};
