/** `npm run cluster -- --node`: what a user sees, and that nothing of it is left, however it ends. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../cluster/nodes/wire.ts";
import { launch } from "../support/commands.ts";
import { eventually } from "../support/eventually.ts";

const script = fileURLToPath(new URL("../cluster/main.ts", import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "turnpike-leftovers-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Everything that has to do with the cluster `name` in `folder`: processes, mounts, cgroups, links. */
const leftOf = (place: string, cgroups: readonly string[], link: string): readonly string[] => {
  const processes = readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && pid !== String(process.pid))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(place);
      } catch {
        return false;
      }
    });
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(place));
  const links = run(["ip", "-brief", "link"])
    .split("\n")
    .filter((line) => line.startsWith(`${link}@`));
  const there = cgroupsNow();
  return [
    ...processes.map((pid) => `process ${pid}`),
    ...mounts,
    ...links,
    ...cgroups.filter((one) => there.includes(one)),
  ];
};

/** Those of clusters with nodes, in whatever hierarchy. */
const cgroupsNow = (): readonly string[] => {
  const root = "/sys/fs/cgroup";
  const folders = [
    root,
    ...readdirSync(root, { withFileTypes: true })
      .filter((one) => one.isDirectory())
      .map(({ name }) => join(root, name)),
  ];
  return folders.flatMap((one) =>
    readdirSync(one)
      .filter((name) => name.startsWith("turnpike-"))
      .map((name) => join(one, name)),
  );
};

describe.each(["SIGTERM", "SIGKILL"] as const)("a cluster with a node that is ended by %s", (signal) => {
  it("was ready, said how to use it, and leaves nothing", async () => {
    const place = join(folder, signal);
    const before = cgroupsNow();
    const cluster = launch([script, "--dir", place, "--node"], { bin: dirname(process.execPath), as: "node" });
    await cluster.printed(/cluster ready after [\d.]+ s/);
    expect(cluster.stdout).toMatch(/^memory \d+ MB, disk \d+ MB$/m);
    const [, kubectl = ""] = /^kubectl: (.*)$/m.exec(cluster.stdout) ?? [];
    expect(run([...kubectl.split(" "), "get", "nodes", "--no-headers"])).toMatch(/^node1 +Ready /);
    const [, link = ""] = /^link: (\S+)$/m.exec(cluster.stdout) ?? [];
    const cgroups = cgroupsNow().filter((one) => !before.includes(one));
    expect(cgroups.length).toBeGreaterThan(0);
    expect(leftOf(place, cgroups, link).length).toBeGreaterThan(cgroups.length);
    await cluster.stop(signal);
    await eventually(() => expect(leftOf(place, cgroups, link)).toEqual([]), 100);
  });
});
