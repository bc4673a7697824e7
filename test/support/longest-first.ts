/**
 * The order of test files: those that take long first, so that none of them is left to run alone at the end. Vitest knows
 * durations only where the tests have run before, which a fresh clone has not.
 */
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Seconds of those that take more than thirty, on a machine that was quiet. The order matters, not the figures. */
const SECONDS: Readonly<Record<string, number>> = {
  "test/node/changes.test.ts": 330,
  "test/media-servers/media-servers.test.ts": 240,
  "test/image/image.test.ts": 190,
  "test/chart/install.test.ts": 170,
  "test/cluster/kills.test.ts": 160,
  "test/live/interop.test.ts": 140,
  "test/node/shapes.test.ts": 125,
  "test/chart/rbac.test.ts": 110,
  "test/node/tools.test.ts": 105,
  "test/live/offload.test.ts": 100,
  "test/visualizer/recorded.test.ts": 100,
  "test/cluster/promises.test.ts": 97,
  "test/node/offload.test.ts": 93,
  "test/cluster/conformance.test.ts": 92,
  "test/cluster/faulty-api-server.test.ts": 80,
  "test/cluster/icetest.test.ts": 73,
  "test/node/calls.test.ts": 65,
  "test/telemetry/canaries.test.ts": 64,
  "test/tools/config.test.ts": 63,
  "test/package/package.test.ts": 57,
  "test/visualizer/standalone.test.ts": 55,
  "test/live/dataplane.test.ts": 53,
  "test/tools/connect.test.ts": 51,
  "test/node/embedded.test.ts": 50,
  "test/node/values.test.ts": 50,
  "test/chart/handover.test.ts": 50,
  "test/offload/suites.test.ts": 48,
  "test/cluster/cluster.test.ts": 47,
  "test/live/malformed.test.ts": 44,
  "test/node/leftovers.test.ts": 43,
  "test/cluster/faults.test.ts": 39,
  "test/cluster/lease-faults.test.ts": 33,
  "test/fuzz/codecs.test.ts": 33,
  "test/offload/pod.test.ts": 32,
};

export class LongestFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root } = this.ctx.config;
    const gone = Object.keys(SECONDS).filter((file) => !existsSync(join(root, file)));
    if (gone.length > 0) throw new Error(`test/support/longest-first.ts names files that are gone: ${gone.join(", ")}`);
    const secondsOf = ({ moduleId }: TestSpecification): number => SECONDS[relative(root, moduleId)] ?? 0;
    return Promise.resolve(files.toSorted((a, b) => secondsOf(b) - secondsOf(a)));
  }
}
