import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.ts";
import { PATIENCE_MS } from "./test/support/patience.ts";

/** Gateways under attack and calls that may not lose a packet: after all else, which takes the whole machine. */
const CALLS = ["test/live/**/*.test.ts", "test/cluster/promises.test.ts"];

/** One a core: the default leaves a core to the main process, which has little to do. One more gained nothing that could be measured. */
const WORKERS = availableParallelism();

export default defineConfig({
  test: {
    globalSetup: ["test/support/logs.ts", "test/support/compiled.ts"],
    // For what hangs, not for what is slow: a busy machine is no failure, and speed is measured by `npm run bench`.
    testTimeout: 300_000,
    expect: { poll: { timeout: PATIENCE_MS } },
    hookTimeout: 600_000,
    pool: "forks",
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "together",
          include: ["src/**/*.test.ts", "test/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...CALLS],
          maxWorkers: WORKERS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "calls", include: CALLS, maxWorkers: WORKERS, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
