import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Client } from "../../test/cluster/client.ts";
import { startCluster, type Cluster } from "../../test/cluster/cluster.ts";
import { resetCluster } from "../../test/cluster/reset.ts";
import type { Api, Request } from "../kubernetes/api.ts";
import { connect } from "../kubernetes/connect.ts";
import type { KubernetesObject } from "../resources/core.ts";
import type { Name } from "../resources/keys.ts";
import { kindOf } from "../resources/kinds.ts";
import { OWNED_BY_LABEL, OWNED_BY_VALUE } from "../resources/names.ts";
import { applyObject, applyStatus, removeObject } from "./objects.ts";

let cluster: Cluster;
let client: Client;
let api: Api;

beforeAll(async () => {
  cluster = await startCluster();
  ({ client } = cluster);
  api = await connect(cluster.kubeconfig);
});
afterAll(async () => {
  await api?.close();
  await cluster?.stop();
});
beforeEach(() => resetCluster(client));

const kind = kindOf("Service");
const name = "default/gw" as Name;
const reference = { apiVersion: "v1", kind: "Service", metadata: { name: "gw", namespace: "default" } };

const service = (annotations: Readonly<Record<string, string>> = {}, ports: readonly number[] = [3478]) => ({
  ...reference,
  metadata: { ...reference.metadata, labels: { [OWNED_BY_LABEL]: OWNED_BY_VALUE }, annotations },
  spec: { ports: ports.map((port) => ({ name: `p${port}`, port, protocol: "UDP" })) },
});
const foreign = { ...reference, spec: { ports: [{ name: "theirs", port: 80 }] } };

const stored = () =>
  client.get<KubernetesObject & { readonly spec: { readonly ports: readonly unknown[] } }>(reference);

/** Somebody else acts just before the next write. */
const meanwhile = (act: () => Promise<unknown>): Api => {
  let acted = false;
  return {
    ...api,
    json: async <T>(request: Request) => {
      if (!acted && request.method !== undefined && request.method !== "GET") {
        acted = true;
        await act();
      }
      return api.json<T>(request);
    },
  };
};

describe("an object of ours", () => {
  it("is created, and then left alone until it should be different", async () => {
    expect(await applyObject(api, kind, name, service())).toBe("created");
    const before = await stored();
    expect(await applyObject(api, kind, name, service())).toBe("unchanged");
    expect(await applyObject(api, kind, name, service(), before)).toBe("unchanged");
    expect((await stored()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    expect(await applyObject(api, kind, name, service({}, [3479]), before)).toBe("updated");
    expect((await stored()).spec.ports).toHaveLength(1);
  });

  it.each([
    ["beside ours", [{ name: "theirs", port: 1, protocol: "UDP" }]],
    ["in the place of ours", [{ name: "p3478", port: 1, protocol: "UDP" }]],
  ])("loses a port that somebody put %s", async (_, ports) => {
    await applyObject(api, kind, name, service());
    await client.patch(reference, { spec: { ports } });
    expect(await applyObject(api, kind, name, service())).toBe("updated");
    const { spec } = await stored();
    expect(spec.ports).toEqual([expect.objectContaining({ name: "p3478", port: 3478 })]);
    expect(await applyObject(api, kind, name, service())).toBe("unchanged");
    // And it can still be changed in the usual way.
    expect(await applyObject(api, kind, name, service({}, [3479]))).toBe("updated");
    expect((await stored()).spec.ports).toEqual([expect.objectContaining({ port: 3479 })]);
  });

  it("keeps annotations that we once gave it, and those of others", async () => {
    await applyObject(api, kind, name, service({ first: "1", both: "1" }));
    await client.patch(reference, { metadata: { annotations: { theirs: "1" } } });
    expect(await applyObject(api, kind, name, service({ both: "2" }))).toBe("updated");
    expect(await applyObject(api, kind, name, service({ third: "1" }))).toBe("updated");
    expect((await stored()).metadata.annotations).toEqual({ first: "1", both: "2", third: "1", theirs: "1" });
  });

  it("is corrected when somebody changed it", async () => {
    await applyObject(api, kind, name, service({ a: "1" }));
    await client.patch(reference, { metadata: { annotations: { a: "2" } } });
    expect(await applyObject(api, kind, name, service({ a: "1" }))).toBe("updated");
    expect((await stored()).metadata.annotations).toEqual({ a: "1" });
  });

  it("is removed once", async () => {
    await applyObject(api, kind, name, service());
    expect(await removeObject(api, kind, name)).toBe("removed");
    expect(await removeObject(api, kind, name)).toBe("absent");
  });

  it("is not removed as something else than what was looked at", async () => {
    await applyObject(api, kind, name, service());
    const changed = meanwhile(() => client.patch(reference, { metadata: { annotations: { kept: "yes" } } }));
    await expect(removeObject(changed, kind, name)).rejects.toMatchObject({ status: 409, reason: "Conflict" });
    const replaced = meanwhile(async () => {
      await client.delete(reference);
      await client.apply(foreign);
    });
    await expect(removeObject(replaced, kind, name)).rejects.toMatchObject({ status: 409, reason: "Conflict" });
    expect(await removeObject(api, kind, name)).toBe("foreign");
  });

  it("is not written over another that took its place meanwhile", async () => {
    await applyObject(api, kind, name, service());
    const replaced = meanwhile(async () => {
      await client.delete(reference);
      await client.apply(foreign);
    });
    expect(await applyObject(replaced, kind, name, service({ a: "1" }))).toBe("foreign");
    expect((await stored()).metadata.labels).toBeUndefined();
  });
});

describe("objects that are no longer desired", () => {
  const workload = kindOf("Deployment");
  const labels = { app: "x" };
  const container = { name: "main", image: "i", env: [{ name: "A", value: "1" }], args: ["-w"] };
  const deployment = (main: object = container, pod: object = {}, spec: object = {}) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "gw", namespace: "default", labels: { [OWNED_BY_LABEL]: OWNED_BY_VALUE } },
    spec: {
      ...spec,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [main], ...pod } },
    },
  });
  interface Running extends KubernetesObject {
    readonly spec: {
      readonly replicas: number;
      readonly template: {
        readonly spec: Readonly<Record<string, unknown>> & {
          readonly containers: readonly (typeof container & Readonly<Record<string, unknown>>)[];
        };
      };
    };
  }
  const running = () => client.get<Running>(deployment());
  const write = (...wanted: Parameters<typeof deployment>) => applyObject(api, workload, name, deployment(...wanted));
  const tolerations = [{ key: "media", operator: "Exists" }];

  it("goes, and the next look finds nothing to do", async () => {
    const more = {
      ...container,
      env: [...container.env, { name: "B", value: "2" }],
      resources: { limits: { cpu: "1" } },
    };
    await write({ ...more, livenessProbe: { httpGet: { path: "/", port: 1 } } }, { tolerations, hostNetwork: true });
    expect(await write()).toBe("updated");
    const { spec } = (await running()).spec.template;
    expect(spec).not.toHaveProperty("tolerations");
    expect(spec).not.toHaveProperty("hostNetwork");
    expect(spec.containers).toMatchObject([{ env: [{ name: "A" }], args: ["-w"], resources: {} }]);
    expect(spec.containers[0]).not.toHaveProperty("livenessProbe");
    expect(await write()).toBe("unchanged");
    const { env: _, args: __, ...bare } = container;
    expect(await write(bare)).toBe("updated");
    expect((await running()).spec.template.spec.containers[0]).not.toHaveProperty("env");
    expect(await write(bare)).toBe("unchanged");
  });

  it("keeps fields that others set and the desired object omits", async () => {
    await write(container, { tolerations, terminationGracePeriodSeconds: 60 });
    await client.apply(
      deployment({ name: "main", image: "i", env: [{ name: "THEIRS", value: "3" }] }, { tolerations }),
      { fieldManager: "other", force: true },
    );
    await client.patch(
      deployment(),
      { spec: { template: { spec: { containers: [{ name: "sidecar", image: "s" }] } } } },
      { type: "strategic-merge" },
    );
    expect(await write()).toBe("updated");
    const { spec } = (await running()).spec.template;
    expect(spec["tolerations"]).toEqual(tolerations);
    expect(spec.containers.map((one) => one.name).toSorted()).toEqual(["main", "sidecar"]);
    expect(
      spec.containers
        .find((one) => one.name === "main")
        ?.env.map((one) => one.name)
        .toSorted(),
    ).toEqual(["A", "THEIRS"]);
    expect(await write()).toBe("unchanged");
  });

  it("keeps the replicas of a workload that others have scaled", async () => {
    await write(container, {}, { replicas: 3 });
    expect(await write()).toBe("unchanged");
    expect(await write({ ...container, image: "j" })).toBe("updated");
    expect((await running()).spec.replicas).toBe(3);
    await client.patch(deployment(), { spec: { replicas: 5 } });
    expect(await write()).toBe("updated");
    expect((await running()).spec.replicas).toBe(5);
  });

  it("is an address of a Service, and not the node port that it has by then", async () => {
    const asking = { ...service(), spec: { ...service().spec, type: "LoadBalancer", loadBalancerIP: "192.0.2.1" } };
    const [port] = service().spec.ports;
    const fixed = { ...asking, spec: { ...asking.spec, ports: [{ ...port, nodePort: 30_790 }] } };
    await applyObject(api, kind, name, fixed);
    const { loadBalancerIP: _, ...spec } = asking.spec;
    const modest = { ...asking, spec };
    expect(await applyObject(api, kind, name, modest)).toBe("updated");
    expect((await stored()).spec).not.toHaveProperty("loadBalancerIP");
    expect((await stored()).spec.ports).toMatchObject([{ nodePort: 30_790 }]);
    expect(await applyObject(api, kind, name, modest)).toBe("unchanged");
  });
});

describe("an object that somebody makes between our look and our write", () => {
  it("is not adopted", async () => {
    const beaten = meanwhile(() => client.apply(foreign));
    expect(await applyObject(beaten, kind, name, service())).toBe("foreign");
    expect(await stored()).toMatchObject({ spec: { ports: [{ name: "theirs" }] } });
    expect((await stored()).metadata.labels).toBeUndefined();
  });

  it("is corrected if it is ours, for example when another replica created it", async () => {
    const beaten = meanwhile(() => client.apply(service({}, [1])));
    expect(await applyObject(beaten, kind, name, service({ a: "1" }))).toBe("updated");
    expect((await stored()).metadata.annotations).toEqual({ a: "1" });
  });
});

it("an object of somebody else is neither adopted nor removed", async () => {
  await client.apply(foreign);
  const before = await stored();
  expect(await applyObject(api, kind, name, service())).toBe("foreign");
  expect(await applyObject(api, kind, name, service(), before)).toBe("foreign");
  expect(await removeObject(api, kind, name)).toBe("foreign");
  expect((await stored()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
});

it("a status of what is gone is nothing to worry about", async () => {
  const gateway = kindOf("Gateway");
  const outcome = applyStatus(api, gateway, "v1", name, "gateway.networking.k8s.io/v1", { addresses: [] });
  expect(await outcome).toBe("absent");
});

it("one field of a status that is refused does not keep the rest from being written", async () => {
  const gateway = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: "gw", namespace: "default" },
  };
  await client.apply({
    ...gateway,
    spec: { gatewayClassName: "media", listeners: [{ name: "udp", port: 3478, protocol: "example.org/udp" }] },
  });
  const accepted = {
    type: "Accepted",
    status: "True",
    reason: "Accepted",
    message: "",
    observedGeneration: 1,
    lastTransitionTime: "2026-01-01T00:00:00Z",
  };
  const write = (value: string) =>
    applyStatus(api, kindOf("Gateway"), "v1", name, gateway.apiVersion, {
      addresses: [{ type: "IPAddress", value }],
      conditions: [accepted],
    });
  await expect(write("node1.example.org")).rejects.toMatchObject({
    status: 422,
    message: expect.stringContaining("node1.example.org"),
  });
  const stored = await client.get<KubernetesObject & { readonly status: Readonly<Record<string, unknown>> }>(gateway);
  expect(stored.status).not.toHaveProperty("addresses");
  expect(stored.status["conditions"]).toContainEqual(accepted);
  expect(await write("192.0.2.1")).toBe("updated");
});
