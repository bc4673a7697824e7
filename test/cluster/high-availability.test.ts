/** Two operators on one cluster: one leads, the other is warm, and the dataplanes notice nothing when they change places. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startOperator, type Operator } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { scenarios } from "../conformance/scenario.ts";
import { keepLog } from "../support/logs.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { perform } from "./recorded.ts";
import { eventually } from "../support/eventually.ts";

let cluster: Cluster;
let root: string;

beforeAll(async () => {
  cluster = await startCluster();
  root = mkdtempSync(join(tmpdir(), "turnpike-ha-"));
  const basic = scenarios.find(({ name }) => name === "basic-udp");
  for (const operation of basic!.stages[0]!.do) await perform(cluster.client, operation);
});
afterAll(async () => {
  await cluster?.stop();
  rmSync(root, { recursive: true, force: true });
});

const start = (name: string, lease: { readonly durationSeconds?: number } = {}): Promise<Operator> =>
  startOperator({
    kubeconfig: cluster.kubeconfig,
    render: operatorOptions({ discoveryAddress: "127.0.0.1:13478" }),
    journal: join(root, name),
    discovery: { host: "127.0.0.1", port: 0 },
    lease: { namespace: "default", name: "turnpike", holder: name, ...lease },
    finalizer: false,
    log: pino({ level: "silent" }),
  });

const ask = (operator: Operator): Promise<Response> =>
  fetch(`http://127.0.0.1:${operator.discovery.port}/api/v1/configs/stunner/gw`);
const uids = async (): Promise<readonly (string | undefined)[]> =>
  Promise.all(
    [
      { apiVersion: "apps/v1", kind: "Deployment" },
      { apiVersion: "v1", kind: "Service" },
    ].map(
      async (kind) =>
        (
          await cluster.client.get<{ metadata: { uid?: string } }>({
            ...kind,
            metadata: { name: "gw", namespace: "stunner" },
          })
        ).metadata.uid,
    ),
  );

it("hands over from the leader that stops to the standby, which writes nothing before and disturbs nothing after", async () => {
  // It runs out long after the test: a standby that takes over within it was given it.
  const first = await start("first", { durationSeconds: 3600 });
  await eventually(async () => expect((await ask(first)).status).toBe(200));
  await eventually(uids);
  await first.idle();
  const before = await uids();
  const config = await (await ask(first)).json();

  const second = await start("second");
  await eventually(() => expect(second.state).toBe("standby"));
  expect((await ask(second)).status).toBe(503);
  expect((await ask(first)).status).toBe(200);
  const writesOfStandby = { ...second.requests };
  expect(writesOfStandby["PATCH"]).toBeUndefined();

  // Warm: it knows of a change before it leads.
  await cluster.client.patch(
    { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata: { name: "media-a", namespace: "stunner" } },
    { endpoints: [{ addresses: ["10.1.0.9"], conditions: { ready: true } }] },
  );
  await eventually(async () => expect(JSON.stringify(await (await ask(first)).json())).toContain("10.1.0.9"));

  expect(await first.stop("rollout")).toEqual([]);
  await eventually(async () => expect((await ask(second)).status).toBe(200));
  const after = (await (await ask(second)).json()) as {
    readonly clusters: readonly { readonly endpoints: readonly string[] }[];
  };
  expect(after.clusters[0]?.endpoints).toEqual(["10.1.0.9", "10.96.10.10"]);
  expect({ ...after, clusters: [] }).toEqual({ ...(config as object), clusters: [] });

  await second.idle();
  expect(await uids()).toEqual(before);
  // What the first one wrote stands, so there is nothing for the second to write.
  expect(second.requests["PATCH"]).toBeUndefined();
  expect(second.requests["DELETE"]).toBeUndefined();
  expect(await second.stop("test")).toEqual([]);
  for (const name of ["first", "second"]) keepLog(join(root, name));
});

it("takes over from a leader that vanished once its lease has run out", async () => {
  // A replica that died holds it.
  await cluster.client.apply({
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: "turnpike", namespace: "default" },
    spec: {
      holderIdentity: "vanished",
      leaseDurationSeconds: 3,
      renewTime: `${new Date().toISOString().slice(0, -1)}000Z`,
    },
  });
  const third = await start("third");
  await eventually(() => expect(third.state).toBe("standby"));
  await eventually(() => expect(third.state).toBe("leading"));
  expect((await ask(third)).status).toBe(200);
  await third.stop("test");
});
