/** A cluster for a test file and, for each test, the small world in it and an operator behind a faulty proxy. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import type { Operator, OperatorOptions } from "../../src/runtime/operator.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { startFaultyProxy, type FaultyProxy } from "./faulty/proxy.ts";
import { randomOfTest, type Random } from "./faulty/random.ts";
import { isWhatAFreshOneComputes } from "./fresh.ts";
import { optionsOf, startQuietly } from "./operators.ts";
import { resetCluster } from "./reset.ts";
import { applyAll, foreign, removeAll, world } from "./world.ts";

export interface Fixture {
  readonly cluster: Cluster;
  readonly proxy: FaultyProxy;
  readonly random: Random;
  start(overrides?: Partial<OperatorOptions>): Promise<Operator>;
  /** Reports failed effects. */
  stop(): Promise<readonly string[]>;
  apply(...objects: readonly unknown[]): Promise<unknown>;
  remove(...objects: readonly unknown[]): Promise<unknown>;
  /** The operator that runs has done what a fresh one finds to be right. Ends it. */
  endsWell(): Promise<void>;
}

/** Registers the hooks of a test file. */
export const useCluster = (): Fixture => {
  let cluster: Cluster;
  let root: string;
  let proxy: FaultyProxy;
  let random: Random;
  let running: { readonly operator: Operator; readonly overrides: Partial<OperatorOptions> } | undefined;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => cluster?.stop());

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "turnpike-faults-"));
    await resetCluster(cluster.client);
    await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "ns" } });
    await applyAll(cluster.client, foreign);
    await applyAll(cluster.client, ...world);
    random = randomOfTest();
    proxy = await startFaultyProxy(cluster, { file: join(root, "kubeconfig"), random: random.fork() });
  });

  const stop = async (limitMs?: number): Promise<readonly string[]> => {
    const operator = running?.operator;
    running = undefined;
    return (await operator?.stop("test", limitMs)) ?? [];
  };
  afterEach(async () => {
    await stop(1000);
    await proxy?.stop();
    rmSync(root, { recursive: true, force: true });
  });

  return {
    get cluster() {
      return cluster;
    },
    get proxy() {
      return proxy;
    },
    get random() {
      return random;
    },
    async start(overrides = {}) {
      const operator = await startQuietly(optionsOf(root, "journal", proxy.kubeconfig, overrides));
      running = { operator, overrides };
      return operator;
    },
    stop,
    apply: (...objects) => applyAll(cluster.client, ...objects),
    remove: (...objects) => removeAll(cluster.client, ...objects),
    async endsWell() {
      const { operator, overrides } = running!;
      await isWhatAFreshOneComputes({ cluster, root, operator, journal: "journal", overrides, stop });
    },
  };
};
