/**
 * `npm run test:quick`: the tests that start no cluster, no browser and no program of ours, for daily work. Which
 * they are is read from their imports; with `--list` they are printed and not run.
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { importsOf } from "./imports.ts";

const checkout = fileURLToPath(new URL("..", import.meta.url));

/** What starts something that takes long. */
const SLOW = new Set([
  "playwright-core",
  "test/chart/helm.ts",
  "test/cluster/cluster.ts",
  "test/support/pack.ts",
  // Whole processes and calls on the network: seconds each.
  "src/cli",
  "test/fuzz",
  "test/live",
  "test/node",
  "test/telemetry",
  "test/tools",
]);

const known = new Map<string, boolean>();

/** Whether a file, a path relative to the checkout, or anything that it imports is slow. */
const isSlow = (file: string): boolean => {
  const answer = known.get(file);
  if (answer !== undefined) return answer;
  known.set(file, false);
  const slow =
    SLOW.has(file) ||
    SLOW.has(dirname(file)) ||
    importsOf(join(checkout, file)).some((specifier) => {
      if (!specifier.startsWith(".")) return SLOW.has(specifier);
      const path = relative(checkout, join(checkout, dirname(file), specifier));
      return path.endsWith(".ts") && existsSync(join(checkout, path)) && isSlow(path);
    });
  known.set(file, slow);
  return slow;
};

const quick = globSync(["src/**/*.test.ts", "test/**/*.test.ts"], { cwd: checkout }).filter((file) => !isSlow(file));

if (process.argv.includes("--list")) console.log(quick.join("\n"));
else {
  const { status } = spawnSync("vitest", ["run", ...process.argv.slice(2), ...quick], {
    cwd: checkout,
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
}
