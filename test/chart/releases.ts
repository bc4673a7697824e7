/** A cluster with a node, Helm, and what tests install by it. Everything runs as pods do, with its own service account. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { stringify } from "yaml";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import type { Commands, NodeAgent } from "../cluster/node-agent.ts";
import { resetCluster } from "../cluster/reset.ts";
import { startServicedNode } from "../cluster/serviced-node.ts";
import { enterOwnNetwork } from "../support/network.ts";
import { chart, helmFor, type Helm } from "./helm.ts";
import { eventually } from "../support/eventually.ts";

const TURNPIKE = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));

interface Status {
  readonly metadata: { readonly uid: string; readonly generation: number };
  readonly spec: { readonly replicas?: number };
  readonly status?: {
    readonly readyReplicas?: number;
    readonly observedGeneration?: number;
    readonly updatedReplicas?: number;
  };
}

export interface Releases {
  readonly cluster: Cluster;
  readonly node: NodeAgent;
  readonly helm: Helm;
  /** A chart that has ours as a dependency, once for each alias. */
  umbrella(name: string, aliases: readonly string[]): string;
  /** A file with values. */
  values(values: unknown): string;
  /** Waits until all pods of a Deployment are of its last generation, and ready. */
  rolledOut(namespace: string, name: string): Promise<Status>;
}

/** No calls, then: only that it is there. */
const IDLE: Commands = { stunnerd: ["sh", "-c", "exec sleep infinity"] };

/** Registers the hooks of a test file. @param commands of pods, beside `turnpike`. */
export const useReleases = (commands: Commands = IDLE): Releases => {
  let cluster: Cluster;
  let node: NodeAgent;
  let helm: Helm;
  let root: string;
  let files = 0;

  beforeAll(async () => {
    enterOwnNetwork();
    root = mkdtempSync(join(tmpdir(), "turnpike-releases-"));
    cluster = await startCluster();
    helm = await helmFor(cluster.kubeconfig);
    node = await startServicedNode(cluster, { turnpike: [TURNPIKE], ...commands }, root);
  });
  afterEach(async () => {
    for (const { name, namespace } of JSON.parse(
      await helm("list", "--all-namespaces", "--output", "json"),
    ) as readonly {
      readonly name: string;
      readonly namespace: string;
    }[])
      await helm("uninstall", name, "--namespace", namespace, "--no-hooks");
    await resetCluster(cluster.client);
    // The node went with everything else.
    await node.addNode();
  });
  afterAll(async () => {
    await node?.close();
    await cluster?.stop();
    rmSync(root, { recursive: true, force: true });
  });

  return {
    get cluster() {
      return cluster;
    },
    get node() {
      return node;
    },
    get helm() {
      return helm;
    },
    umbrella(name, aliases) {
      const folder = join(root, name);
      mkdirSync(folder);
      const dependencies = aliases.map((alias) => ({
        name: "turnpike",
        version: "*",
        repository: `file://${chart}`,
        alias,
        condition: `${alias}.enabled`,
      }));
      writeFileSync(join(folder, "Chart.yaml"), stringify({ apiVersion: "v2", name, version: "1.0.0", dependencies }));
      return folder;
    },
    values(values) {
      const file = join(root, `values-${(files += 1)}.json`);
      writeFileSync(file, JSON.stringify(values));
      return file;
    },
    async rolledOut(namespace, name) {
      let found: Status | undefined;
      await eventually(async () => {
        found = await cluster.client.get<Status>({
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name, namespace },
        });
        const { spec, status, metadata } = found;
        expect(status?.observedGeneration).toBe(metadata.generation);
        expect(status?.updatedReplicas).toBe(spec.replicas ?? 1);
        expect(status?.readyReplicas).toBe(spec.replicas ?? 1);
      });
      return found!;
    },
  };
};
