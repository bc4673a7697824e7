import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

it.each([
  [[], "echo.default.svc.cluster.local"],
  [["--cluster-domain", "k8s.example.org"], "echo.default.svc.k8s.example.org"],
])("names Services by the domain of the cluster, with %j", (args, name) => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [path("main.ts"), "render", path("../../examples/quickstart"), "--endpoint-discovery=false", ...args],
    { encoding: "utf8" },
  );
  expect(stdout, stderr).toContain(`- ${name}\n`);
});
