/** Events that a user of a Gateway sees. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { Operator } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { scenarios } from "../conformance/scenario.ts";
import type { Literal } from "./client.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { optionsOf, startQuietly } from "./operators.ts";
import { perform } from "./recorded.ts";
import { resetCluster } from "./reset.ts";
import { eventually } from "../support/eventually.ts";

let cluster: Cluster;
let root: string;
let operator: Operator;

beforeAll(async () => {
  cluster = await startCluster();
  root = mkdtempSync(join(tmpdir(), "turnpike-events-"));
  operator = await startQuietly(optionsOf(root, "journal", cluster.kubeconfig, { render: operatorOptions() }));
});
afterAll(async () => {
  await operator?.stop("test");
  await cluster?.stop();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => resetCluster(cluster.client));

interface Event {
  readonly reason: string;
  readonly note: string;
  readonly type: string;
  readonly regarding: { readonly kind: string; readonly name: string; readonly uid?: string };
}

const eventsOf = async (): Promise<readonly Event[]> =>
  (await cluster.client.list<Event>({ apiVersion: "events.k8s.io/v1", kind: "Event", namespace: "stunner" })).filter(
    ({ regarding }) => regarding.kind === "Gateway",
  );
const nodePort = (port: number) => ({
  "stunner.l7mp.io/service-type": "NodePort",
  "stunner.l7mp.io/nodeport": `{"udp":${port}}`,
});
const given = async (
  change: (object: { kind?: string; metadata: Record<string, unknown>; spec?: Record<string, unknown> }) => void,
): Promise<void> => {
  const basic = scenarios.find(({ name }) => name === "basic-udp");
  for (const operation of structuredClone(basic!.stages[0]!.do)) {
    if ("apply" in operation) change(operation.apply as never);
    await perform(cluster.client, operation);
  }
};

it("a node port that is taken is reported, with the message of Kubernetes", async () => {
  await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "others" } });
  await cluster.client.apply({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "squatter", namespace: "others" },
    spec: { type: "NodePort", ports: [{ name: "a", port: 1, protocol: "UDP", nodePort: 30_777 }] },
  });
  await given((object) => {
    if (object.kind === "Gateway") object.metadata["annotations"] = { "stunner.l7mp.io/nodeport": '{"udp":30777}' };
  });
  await eventually(async () =>
    expect(await eventsOf()).toContainEqual(
      expect.objectContaining({
        type: "Warning",
        reason: "WriteFailed",
        note: expect.stringMatching(/^Service: .*30777.*allocated/),
        regarding: expect.objectContaining({ name: "gw" }),
      }),
    ),
  );
});

it("of two Gateways that want one node port the second says so, in its status too, until the port is free", async () => {
  await given((object) => {
    if (object.kind === "Gateway") object.metadata["annotations"] = nodePort(30_778);
  });
  const gatewayNamed = (name: string) => ({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name, namespace: "stunner" },
  });
  const first = await cluster.client.get<Literal>(gatewayNamed("gw"));
  const portOf = async (name: string): Promise<unknown> =>
    (
      await cluster.client.get<{ spec: { ports: readonly { nodePort?: number }[] } }>({
        apiVersion: "v1",
        kind: "Service",
        metadata: { name, namespace: "stunner" },
      })
    ).spec.ports[0]?.nodePort;
  await eventually(async () => expect(await portOf("gw")).toBe(30_778));
  await cluster.client.apply({
    ...gatewayNamed("second"),
    metadata: { name: "second", namespace: "stunner", annotations: nodePort(30_778) },
    spec: first["spec"],
  });
  const programmed = async (): Promise<{ readonly status?: string; readonly message?: string }> => {
    const { status } = await cluster.client.get<{ status?: { conditions?: readonly Record<string, string>[] } }>(
      gatewayNamed("second"),
    );
    return status?.conditions?.find(({ type }) => type === "Programmed") ?? {};
  };
  await eventually(async () =>
    expect(await programmed()).toMatchObject({
      status: "False",
      message: expect.stringMatching(/^Kubernetes refuses the Service stunner\/second: .*30778.*allocated/),
    }),
  );
  await eventually(async () =>
    expect(await eventsOf()).toContainEqual(
      expect.objectContaining({ reason: "WriteFailed", regarding: expect.objectContaining({ name: "second" }) }),
    ),
  );
  await cluster.client.patch(gatewayNamed("gw"), { metadata: { annotations: nodePort(30_779) } });
  await eventually(async () => expect(await portOf("second")).toBe(30_778));
  await eventually(async () => expect((await programmed()).message).not.toContain("refuses"));
});

it("an object of the Gateway's name that is not managed is reported, and left as it is", async () => {
  await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "stunner" } });
  const mine = { apiVersion: "v1", kind: "Service", metadata: { name: "gw", namespace: "stunner" } };
  await cluster.client.apply({ ...mine, spec: { ports: [{ name: "mine", port: 80 }] } });
  const before = await cluster.client.get<{ spec: unknown }>(mine);
  await given(() => undefined);
  await eventually(async () =>
    expect(
      await cluster.client.get({
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "Gateway",
        metadata: { name: "gw", namespace: "stunner" },
      }),
    ).toMatchObject({
      status: {
        conditions: expect.arrayContaining([expect.objectContaining({ type: "Programmed", status: "False" })]),
      },
    }),
  );
  await operator.idle();
  expect((await cluster.client.get<{ spec: unknown }>(mine)).spec).toEqual(before.spec);
});

it("a Gateway that cannot be rendered is reported, with the reason", async () => {
  await given((object) => {
    if (object.kind === "GatewayConfig") object.spec = { authType: "static" };
  });
  await eventually(async () =>
    expect(await eventsOf()).toContainEqual(
      expect.objectContaining({
        type: "Warning",
        reason: "Invalid",
        regarding: expect.objectContaining({ name: "gw" }),
      }),
    ),
  );
});
