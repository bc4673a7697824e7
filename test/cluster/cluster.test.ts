import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CoreV1Api, KubeConfig, type V1ConfigMap, type V1EndpointSlice, type V1Pod } from "@kubernetes/client-node";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { Client, orAbsent } from "./client.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { installGatewayApi } from "./crds.ts";
import { addNode, endPod, reportPod, schedulePod } from "./node.ts";
import { resetCluster } from "./reset.ts";
import { eventually } from "../support/eventually.ts";

const configMap = (
  name: string,
  data: Readonly<Record<string, string>> = {},
  ownerReferences: readonly unknown[] = [],
) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", ownerReferences },
  data,
});

const gateway = (port: number) => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: { name: "gateway", namespace: "default" },
  spec: { gatewayClassName: "media", listeners: [{ name: "udp", port, protocol: "TURN-UDP" }] },
});

const route = (port: number) => ({
  apiVersion: "stunner.l7mp.io/v1",
  kind: "UDPRoute",
  metadata: { name: "media", namespace: "default" },
  spec: { parentRefs: [{ name: "gateway" }], rules: [{ backendRefs: [{ name: "media", port }] }] },
});

const labels = { app: "media" };

const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "media", namespace: "default" },
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: "media", image: "media" }] } },
  },
};

const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "media", namespace: "default" },
  spec: { selector: labels, ports: [{ port: 9000, protocol: "UDP" }] },
};

const podsOf = (client: Client): Promise<readonly V1Pod[]> =>
  client.list<V1Pod>({ apiVersion: "v1", kind: "Pod", namespace: "default", labelSelector: "app=media" });

const slicesOf = (client: Client): Promise<readonly V1EndpointSlice[]> =>
  client.list<V1EndpointSlice>({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    labelSelector: "kubernetes.io/service-name=media",
  });

/** Command lines that name a folder, of all processes that are not already dead. */
const processesOf = (folder: string): readonly string[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")];
      } catch {
        return [];
      }
    })
    .filter((line) => line.includes(`${folder}/`));

describe("a cluster", () => {
  let cluster: Cluster;
  let client: Client;

  beforeAll(async () => {
    cluster = await startCluster();
    ({ client } = cluster);
  });
  afterAll(async () => cluster.stop());
  beforeEach(async () => resetCluster(client));

  test("serves our kinds with their versions and short names", async () => {
    const served = async (version: string): Promise<readonly string[]> =>
      (await client.resources(`stunner.l7mp.io/${version}`))
        .filter(({ name }) => !name.includes("/"))
        .map(({ kind, shortNames = [] }) => [kind, ...shortNames].join(" "))
        .toSorted();
    expect(await served("v1")).toEqual(["Dataplane dps", "GatewayConfig gwconf", "StaticService ssvc", "UDPRoute"]);
    expect(await served("v1alpha1")).toEqual(["Dataplane dps", "GatewayConfig gwconf", "StaticService ssvc"]);
  });

  test("serves UDPRoute of Gateway API in the old version and the new", async () => {
    for (const version of ["v1", "v1alpha2"])
      expect(await client.resources(`gateway.networking.k8s.io/${version}`)).toContainEqual(
        expect.objectContaining({ kind: "UDPRoute" }),
      );
  });

  test("prints columns as the definitions say", async () => {
    const columns = async (path: string): Promise<readonly string[]> => {
      const table = await client.request<{ columnDefinitions: readonly { name: string }[] }>(path, {
        accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
      });
      return table.columnDefinitions.map(({ name }) => name);
    };
    expect(await columns("/apis/stunner.l7mp.io/v1/gatewayconfigs")).toEqual(["Name", "Realm", "Dataplane", "Age"]);
    expect(await columns("/apis/stunner.l7mp.io/v1alpha1/gatewayconfigs")).toEqual(["Name", "Realm", "Auth", "Age"]);
    expect(await columns("/apis/stunner.l7mp.io/v1/udproutes")).toEqual(["Name", "Age"]);
  });

  test("has a kubeconfig that other clients understand", async () => {
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    const { items } = await config.makeApiClient(CoreV1Api).listNamespace();
    expect(items.map(({ metadata }) => metadata?.name)).toContain("default");
  });

  test("applies objects on the server's side and reports conflicts", async () => {
    await client.apply(configMap("shared", { mine: "1" }), { fieldManager: "one" });
    await client.apply(configMap("shared", { yours: "2" }), { fieldManager: "other" });
    const other = configMap("shared", { mine: "changed", yours: "2" });
    await expect(client.apply(other, { fieldManager: "other", force: false })).rejects.toMatchObject({
      status: 409,
      reason: "Conflict",
      message: expect.stringContaining('conflict with "one": .data.mine'),
    });
    await client.apply(other, { fieldManager: "other" });
    // Its only field was taken over, so what it gives up now leaves nothing behind.
    await client.apply(configMap("shared"), { fieldManager: "one" });
    expect((await client.get<V1ConfigMap>(configMap("shared"))).data).toEqual({ mine: "changed", yours: "2" });
  });

  test("rejects an invalid port", async () => {
    await expect(client.apply(gateway(70_000))).rejects.toMatchObject({ status: 422, reason: "Invalid" });
    await expect(client.apply(route(0))).rejects.toMatchObject({
      status: 422,
      message: expect.stringContaining("port"),
    });
  });

  test("fills in defaults", async () => {
    const config = { apiVersion: "stunner.l7mp.io/v1", kind: "GatewayConfig", metadata: { name: "config" } };
    expect(await client.apply({ ...config, spec: {} })).toMatchObject({
      spec: { realm: "stunner.l7mp.io", dataplane: "default", authType: "plaintext" },
    });
  });

  test("keeps the status apart from the object", async () => {
    await client.apply(gateway(3478));
    const addresses = [{ type: "IPAddress", value: "192.0.2.1" }];
    await client.patchStatus(gateway(3478), { addresses });
    expect(await client.apply(gateway(3479))).toMatchObject({ metadata: { generation: 2 }, status: { addresses } });
  });

  test("runs a Deployment up to its pods, and lists those that are ready in an EndpointSlice", async () => {
    await client.apply(service);
    await client.apply(deployment);
    const pods = await eventually(async () => {
      const found = await podsOf(client);
      expect(found).toHaveLength(2);
      return found;
    });
    expect(pods.map(({ status }) => status?.phase)).toEqual(["Pending", "Pending"]);

    const name = pods[0]?.metadata?.name ?? "";
    await addNode(client, "node");
    await schedulePod(client, { name }, "node");
    await reportPod(client, { name }, ["10.1.2.3"]);
    const listed = (conditions: object) =>
      eventually(async () => {
        // An empty slice has null for its endpoints.
        const endpoints = (await slicesOf(client)).flatMap((slice) => slice.endpoints ?? []);
        expect(endpoints).toMatchObject([{ addresses: ["10.1.2.3"], conditions, targetRef: { name } }]);
      });
    await listed({ ready: true, serving: true, terminating: false });

    await client.delete(deployment);
    await listed({ ready: false, serving: true, terminating: true });
    await endPod(client, { name });
    await eventually(async () => expect(await podsOf(client)).toEqual([]));
  });

  test("collects what an owner of our kinds leaves behind", async () => {
    const owner = await client.apply<{ metadata: { uid: string } }>(gateway(3478));
    const reference = {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "Gateway",
      name: "gateway",
      uid: owner.metadata.uid,
    };
    await client.apply(configMap("owned", {}, [reference]));
    await client.delete(gateway(3478));
    await eventually(async () => expect(await client.get(configMap("owned")).catch(orAbsent)).toBeUndefined());
  });

  test("gives service accounts tokens that may do what roles allow, and no more", async () => {
    await client.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "reader" } });
    const { status } = await client.request<{ status: { token: string } }>(
      "/api/v1/namespaces/default/serviceaccounts/reader/token",
      { method: "POST", body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} } },
    );
    const reader = new Client({ ...cluster, token: status.token });
    const look = () => reader.list({ apiVersion: "v1", kind: "ConfigMap", namespace: "default" });
    await expect(look()).rejects.toMatchObject({ status: 403, reason: "Forbidden" });
    const group = "rbac.authorization.k8s.io";
    const metadata = { name: "reader" };
    const rules = [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list"] }];
    await client.apply({ apiVersion: `${group}/v1`, kind: "Role", metadata, rules });
    await client.apply({
      apiVersion: `${group}/v1`,
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: group, kind: "Role", name: "reader" },
      subjects: [{ kind: "ServiceAccount", name: "reader", namespace: "default" }],
    });
    await eventually(async () => expect(await look()).toEqual([]));
    await reader.close();
  });

  test("keeps its data when the API server is killed and started again", async () => {
    await client.apply(configMap("kept", { answer: "42" }));
    await cluster.apiServer.kill();
    await expect(client.get(configMap("kept"))).rejects.toThrow("ECONNREFUSED");
    await cluster.apiServer.restart();
    expect((await client.get<V1ConfigMap>(configMap("kept"))).data).toEqual({ answer: "42" });
  });

  test.for(["apiServer", "etcd"] as const)("does not answer while its %s is paused", async (server) => {
    cluster[server].pause();
    // Or the tests that follow would have no cluster.
    onTestFinished(() => cluster[server].resume());
    let isAnswered = false;
    // A new one: an apply that changes nothing may be answered without etcd.
    const answer = client.apply(configMap(`late-${server.toLowerCase()}`)).then(() => (isAnswered = true));
    // Time for an answer that must not come: a server that runs needs a hundredth of it.
    await new Promise((done) => setTimeout(done, 300));
    expect(isAnswered).toBe(false);
    cluster[server].resume();
    await answer;
  });

  test("is as new after a reset", async () => {
    const namespace = "another";
    const place = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
    await client.apply({ ...place, metadata: { name: namespace, labels: { team: "media" } } });
    const finalizers = ["example.org/never"];
    for (const object of [service, deployment, gateway(3478), route(9000)])
      await client.apply({ ...object, metadata: { ...object.metadata, namespace, finalizers } });
    await resetCluster(client);
    expect(await client.list({ apiVersion: "apps/v1", kind: "Deployment" })).toEqual([]);
    expect(await client.list({ apiVersion: "stunner.l7mp.io/v1", kind: "UDPRoute" })).toEqual([]);
    const { metadata } = await client.get<{ readonly metadata: { readonly labels: object } }>(place);
    expect(metadata.labels).toEqual({ "kubernetes.io/metadata.name": namespace });
    expect(await client.get({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } })).toBeDefined();
  });

  test("has nothing deleted after a reset by what the test before has deleted", async () => {
    const place = { apiVersion: "v1", kind: "Namespace", metadata: { name: "deleted" } };
    await client.apply(place);
    await client.delete(place);
    await resetCluster(client);
    expect(await client.get(place).catch(orAbsent)).toBeUndefined();
  });
});

test("a cluster can be an old one", async () => {
  const cluster = await startCluster({ without: ["endpointslices"], gatewayApi: "v1alpha2" });
  try {
    const { client } = cluster;
    const kinds = async (apiVersion: string): Promise<readonly string[]> =>
      (await client.resources(apiVersion).catch(orAbsent))?.map(({ kind }) => kind) ?? [];
    expect(await kinds("discovery.k8s.io/v1")).not.toContain("EndpointSlice");
    expect(await kinds("gateway.networking.k8s.io/v1")).not.toContain("UDPRoute");
    expect(await kinds("gateway.networking.k8s.io/v1alpha2")).toContain("UDPRoute");

    await client.apply(service);
    const endpoints = { apiVersion: "v1", kind: "Endpoints", metadata: { name: "media" } };
    await eventually(async () => expect(await client.get(endpoints)).toBeDefined());
  } finally {
    await cluster.stop();
  }
});

test("a cluster can get Gateway API later, and stop leaves no process and no folder", async () => {
  const cluster = await startCluster({ gatewayApi: "none" });
  try {
    const { client } = cluster;
    await expect(client.resources("gateway.networking.k8s.io/v1")).rejects.toMatchObject({ status: 404 });
    await installGatewayApi(client, "v1");
    expect(await client.resources("gateway.networking.k8s.io/v1")).toContainEqual(
      expect.objectContaining({ kind: "UDPRoute" }),
    );
    expect(processesOf(cluster.directory)).toHaveLength(3);
  } finally {
    await cluster.stop();
  }
  expect(processesOf(cluster.directory)).toEqual([]);
  expect(existsSync(cluster.directory)).toBe(false);
});

test.for(["SIGTERM", "SIGINT", "SIGKILL"] as const)("%s during the start leaves no process", async (signal) => {
  const directory = mkdtempSync(join(tmpdir(), "turnpike-cluster-"));
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const child = spawn(process.execPath, [main, "--dir", directory], { stdio: "ignore" });
  const ended = new Promise((done) => child.once("exit", done));
  await eventually(() => expect(processesOf(directory)).toHaveLength(2));
  child.kill(signal);
  await ended;
  await eventually(() => expect(processesOf(directory)).toEqual([]));
  rmSync(directory, { recursive: true });
});
