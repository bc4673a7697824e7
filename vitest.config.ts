import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { PATIENCE_MS } from "./test/support/patience.ts";

/** Gateways under attack and calls that may not lose a packet: one file at a time, after all else. */
const ALONE = ["test/live/**/*.test.ts", "test/cluster/promises.test.ts"];

export default defineConfig({
  test: {
    globalSetup: ["test/support/logs.ts"],
    // For what hangs, not for what is slow: a busy machine is no failure, and speed is measured by `npm run bench`.
    testTimeout: 300_000,
    expect: { poll: { timeout: PATIENCE_MS } },
    hookTimeout: 600_000,
    pool: "forks",
    projects: [
      {
        extends: true,
        test: {
          name: "together",
          include: ["src/**/*.test.ts", "test/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...ALONE],
          // One a core: the default leaves a core to the main process, which has little to do.
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "alone", include: ALONE, fileParallelism: false, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
