/** What runs a dataplane: a Deployment, or the DaemonSet that a Dataplane may ask for instead. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AnyObject } from "../../src/resources/kinds.ts";
import { startOperator, type Operator } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { scenarios } from "../conformance/scenario.ts";
import { orAbsent } from "./client.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { perform } from "./recorded.ts";
import { resetCluster } from "./reset.ts";
import { eventually } from "../support/eventually.ts";

let cluster: Cluster;
let root: string;
let operator: Operator | undefined;

beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(async () => {
  await cluster?.stop();
});
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "turnpike-daemonset-"));
  await resetCluster(cluster.client);
  const basic = scenarios.find(({ name }) => name === "basic-udp");
  for (const operation of basic!.stages[0]!.do) await perform(cluster.client, operation);
  operator = await start(true);
});
const start = (finalizer: boolean): Promise<Operator> =>
  startOperator({
    kubeconfig: cluster.kubeconfig,
    render: operatorOptions(),
    journal: join(root, "journal"),
    discovery: { host: "127.0.0.1", port: 0 },
    finalizer,
    log: pino({ level: "silent" }),
  });
afterEach(async () => {
  await operator?.stop("test");
  operator = undefined;
  rmSync(root, { recursive: true, force: true });
});

const named = (kind: "Deployment" | "DaemonSet") => ({
  apiVersion: "apps/v1",
  kind,
  metadata: { name: "gw", namespace: "stunner" },
});
const dataplane = { apiVersion: "stunner.l7mp.io/v1", kind: "Dataplane", metadata: { name: "default" } };
const gateway = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: { name: "gw", namespace: "stunner" },
};
const isThere = async (kind: "Deployment" | "DaemonSet"): Promise<boolean> =>
  (await cluster.client.get(named(kind)).catch(orAbsent)) !== undefined;
const become = (deployment: boolean, daemonSet: boolean): Promise<void> =>
  eventually(async () =>
    expect([await isThere("Deployment"), await isThere("DaemonSet")], "Deployment, DaemonSet").toEqual([
      deployment,
      daemonSet,
    ]),
  );
const ask = (dataplaneResource: string) => cluster.client.patch(dataplane, { spec: { dataplaneResource } });

describe("a DaemonSet", () => {
  it("takes the Deployment's place, and gives it back; goes with the finalizer", async () => {
    await become(true, false);
    await ask("DaemonSet");
    await become(false, true);
    expect(await cluster.client.get<AnyObject>(named("DaemonSet"))).toMatchObject({
      metadata: { ownerReferences: [{ kind: "Gateway", name: "gw" }] },
      spec: { template: { spec: { containers: [{ name: "stunner-daemon" }] } } },
    });
    await ask("Deployment");
    await become(true, false);
    await ask("DaemonSet");
    await become(false, true);
    expect(await operator?.stop("test")).toEqual([]);
    operator = undefined;
    await become(false, false);
  });

  it("is put back when somebody changes or deletes it, and goes when others run the dataplane", async () => {
    await ask("DaemonSet");
    await become(false, true);
    const labels = { "stunner.l7mp.io/related-gateway-name": "other" };
    await cluster.client.patch(named("DaemonSet"), { metadata: { labels } });
    await eventually(async () =>
      expect(await cluster.client.get(named("DaemonSet"))).toMatchObject({
        metadata: { labels: { "stunner.l7mp.io/related-gateway-name": "gw" } },
      }),
    );
    await cluster.client.delete(named("DaemonSet"));
    await become(false, true);
    await cluster.client.patch(gateway, {
      metadata: { annotations: { "stunner.l7mp.io/disable-managed-dataplane": "true" } },
    });
    await become(false, false);
  });

  it("of somebody else is left alone, and said to be in the way until it is gone", async () => {
    await become(true, false);
    const labels = { app: "theirs" };
    const theirs = {
      ...named("DaemonSet"),
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "theirs", image: "theirs" }] } },
      },
    };
    await cluster.client.apply(theirs);
    await ask("DaemonSet");
    const programmed = (expected: unknown) =>
      eventually(async () =>
        expect(await cluster.client.get(gateway)).toMatchObject({
          status: { conditions: expect.arrayContaining([expected]) },
        }),
      );
    const inTheWay = expect.stringContaining("a DaemonSet named stunner/gw exists");
    await programmed(expect.objectContaining({ type: "Programmed", status: "False", message: inTheWay }));
    await operator?.idle();
    expect(await cluster.client.get(named("DaemonSet"))).toMatchObject({ spec: { selector: { matchLabels: labels } } });
    await cluster.client.delete(theirs);
    await programmed(
      expect.objectContaining({ type: "Programmed", message: expect.not.stringContaining("DaemonSet") }),
    );
    await become(false, true);
  });
});

describe("a Deployment", () => {
  /** Whether its pods have the variable `EXTRA`, and tolerations. */
  const pods = async (): Promise<readonly boolean[]> => {
    const { spec } = await cluster.client.get<{ spec: unknown }>(named("Deployment"));
    return ['"EXTRA"', '"tolerations"'].map((text) => JSON.stringify(spec).includes(text));
  };

  it("loses what the Dataplane no longer asks for, at once or when an operator starts again", async () => {
    await operator?.stop("test");
    operator = await start(false);
    const asking = { env: [{ name: "EXTRA", value: "1" }], tolerations: [{ operator: "Exists" }] };
    await cluster.client.patch(dataplane, { spec: asking });
    await eventually(async () => expect(await pods()).toEqual([true, true]));
    await cluster.client.patch(dataplane, { spec: { env: null } });
    await eventually(async () => expect(await pods()).toEqual([false, true]));
    await operator.stop("test");
    await cluster.client.patch(dataplane, { spec: { tolerations: null } });
    operator = await start(false);
    await eventually(async () => expect(await pods()).toEqual([false, false]));
  });

  describe("that a HorizontalPodAutoscaler scales", () => {
    const autoscaler = {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: named("Deployment").metadata,
    };
    /** Without metrics it keeps the number of pods between these two. */
    const autoscale = (minReplicas: number, maxReplicas: number) =>
      cluster.client.apply({
        ...autoscaler,
        spec: {
          scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "gw" },
          minReplicas,
          maxReplicas,
          metrics: [
            { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } },
          ],
        },
      });
    const deployment = () =>
      cluster.client.get<AnyObject & { readonly spec: { readonly replicas: number } }>(named("Deployment"));
    const replicasNow = async (): Promise<number> => (await deployment()).spec.replicas;
    const settles = (replicas: number) => eventually(async () => expect(await replicasNow()).toBe(replicas));
    /** After the operator has applied the Deployment. */
    const afterAnApply = async (image: string): Promise<number> => {
      await cluster.client.patch(dataplane, { spec: { image } });
      await eventually(async () => expect(JSON.stringify(await deployment())).toContain(image));
      await operator?.idle();
      return replicasNow();
    };

    it.each([undefined, 1, 2])(
      "keeps the autoscaler's number of pods: replicas of the Dataplane %s",
      async (replicas) => {
        await operator?.stop("test");
        operator = await start(false);
        if (replicas !== undefined) await cluster.client.patch(dataplane, { spec: { replicas } });
        await settles(replicas ?? 1);
        await autoscale(4, 8);
        await settles(4);
        expect(await afterAnApply("image:2")).toBe(4);
        await autoscale(1, 3);
        await settles(3);
        expect(await afterAnApply("image:3")).toBe(3);
        // A new operator does not know what was before.
        await operator.stop("test");
        operator = await start(false);
        expect(await afterAnApply("image:4")).toBe(3);
      },
    );
  });
});

describe("a NetworkPolicy", () => {
  const policy = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "gw", namespace: "stunner" },
  };
  interface Found {
    readonly metadata: { readonly resourceVersion: string };
    readonly spec: { readonly egress: readonly { readonly ports: readonly unknown[] }[] };
  }
  const found = () => cluster.client.get<Found>(policy).catch(orAbsent);
  const annotate = (value: string | null) =>
    cluster.client.patch(gateway, { metadata: { annotations: { "turnpike.dev/network-policy": value } } });
  const route = (ports: object) =>
    cluster.client.patch(
      { apiVersion: "stunner.l7mp.io/v1", kind: "UDPRoute", metadata: { name: "route", namespace: "stunner" } },
      { spec: { rules: [{ backendRefs: [{ name: "media", ...ports }] }] } },
    );
  const egress = (expected: unknown) =>
    eventually(async () => expect((await found())?.spec.egress.slice(3).map(({ ports }) => ports)).toEqual(expected));

  it("is accepted, follows the routes, is put back, and goes with the annotation", async () => {
    await annotate("enabled");
    await eventually(async () => expect(await found()).toMatchObject({ spec: { policyTypes: ["Egress"] } }));
    await route({ port: 9000, endPort: 9010 });
    await egress([[{ protocol: "UDP", port: 9000, endPort: 9010 }]]);
    // Fewer fields, which a comparison of what is wanted with what is there could miss.
    await route({ port: 9000 });
    await egress([[{ protocol: "UDP", port: 9000, endPort: 9000 }]]);
    await cluster.client.patch(policy, { spec: { egress: [{}] } });
    await egress([[{ protocol: "UDP", port: 9000, endPort: 9000 }]]);
    // Nothing is written again and again.
    await operator?.idle();
    const version = (await found())?.metadata.resourceVersion;
    await cluster.client.patch(dataplane, { spec: { env: [{ name: "ANOTHER", value: "1" }] } });
    await eventually(async () =>
      expect(JSON.stringify(await cluster.client.get(named("Deployment")))).toContain("ANOTHER"),
    );
    await operator?.idle();
    expect((await found())?.metadata.resourceVersion).toBe(version);
    await annotate(null);
    await eventually(async () => expect(await found()).toBeUndefined());
  });

  it("goes with the finalizer", async () => {
    await annotate("enabled");
    await eventually(async () => expect(await found()).toBeDefined());
    expect(await operator?.stop("test")).toEqual([]);
    operator = undefined;
    expect(await found()).toBeUndefined();
  });

  it("of somebody else is left alone, and said to be in the way", async () => {
    const theirs = { ...policy, spec: { podSelector: {}, policyTypes: ["Ingress"] } };
    await cluster.client.apply(theirs);
    await annotate("enabled");
    await eventually(async () =>
      expect(await cluster.client.get(gateway)).toMatchObject({
        status: {
          conditions: expect.arrayContaining([
            expect.objectContaining({
              type: "Programmed",
              status: "False",
              message: expect.stringContaining("a NetworkPolicy named stunner/gw exists"),
            }),
          ]),
        },
      }),
    );
    await operator?.idle();
    expect(await found()).toMatchObject({ spec: { policyTypes: ["Ingress"] } });
    await cluster.client.delete(theirs);
    await eventually(async () => expect(await found()).toMatchObject({ spec: { policyTypes: ["Egress"] } }));
  });
});
