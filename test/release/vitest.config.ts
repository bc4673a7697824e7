/** For what `npm run release -- --dry-run` runs on a node: it needs the artefacts, so the tests of a checkout do not include it. */
import { defineConfig } from "vitest/config";
import { PATIENCE_MS } from "../support/patience.ts";

export default defineConfig({
  test: {
    include: ["test/release/*.check.ts"],
    expect: { poll: { timeout: PATIENCE_MS } },
    testTimeout: 300_000,
    hookTimeout: 600_000,
    pool: "forks",
  },
});
