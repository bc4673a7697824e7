/** The chart installed by Helm, as users do: alone, as a part of another chart, twice; upgraded, and removed again. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { DEFAULT_CONTROLLER_NAME } from "../../src/resources/names.ts";
import { orAbsent, type Literal } from "../cluster/client.ts";
import { applyAll, controllerOf, inNamespace, removeAll, world } from "../cluster/world.ts";
import { chart } from "./helm.ts";
import { inventoryOf } from "./inventory.ts";
import { useReleases } from "./releases.ts";
import { eventually } from "../support/eventually.ts";

const releases = useReleases();
const NAMESPACE = "turnpike-system";

const install = (release: string, namespace: string, ...settings: readonly string[]): Promise<string> =>
  releases.helm("install", release, chart, "--namespace", namespace, "--create-namespace", "--set", settings.join(","));

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
}

interface Found {
  readonly metadata: { readonly uid: string; readonly generation?: number };
  readonly spec: { readonly template: { readonly spec: unknown } };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

const get = (apiVersion: string, kind: string, namespace: string, name: string): Promise<Found | undefined> =>
  releases.cluster.client.get<Found>({ apiVersion, kind, metadata: { name, namespace } }).catch(orAbsent);
const gatewayOf = (namespace: string, name = "a") => get("gateway.networking.k8s.io/v1", "Gateway", namespace, name);
const deploymentOf = (namespace: string, name = "a") => get("apps/v1", "Deployment", namespace, name);

/** Gateways, routes and Services of a namespace; the Dataplane is the chart's. */
const gateways = (
  namespace: string,
  dataplane = "default",
  controllerName = controllerOf(namespace),
): readonly unknown[] =>
  world
    .filter((object) => (object as { readonly kind: string }).kind !== "Dataplane")
    .map((object) => inNamespace(object, namespace))
    .map((object) => {
      const { kind, spec } = object as { readonly kind: string; readonly spec?: object };
      // No load balancer is there to give it one.
      const addresses = [{ type: "IPAddress", value: "198.51.100.1" }];
      if (kind === "Gateway") return { ...(object as object), spec: { ...spec, addresses } };
      if (kind === "GatewayClass") return { ...(object as object), spec: { ...spec, controllerName } };
      return kind === "GatewayConfig" ? { ...(object as object), spec: { ...spec, dataplane } } : object;
    });

const makeGateways = async (...args: Parameters<typeof gateways>): Promise<void> => {
  const [namespace] = args;
  await releases.cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  await applyAll(releases.cluster.client, ...gateways(...args));
};

const isServed = (namespace: string): Promise<void> =>
  eventually(async () => {
    for (const name of ["a", "b"]) {
      expect((await gatewayOf(namespace, name))?.status?.conditions).toContainEqual(
        expect.objectContaining({ type: "Programmed", status: "True" }),
      );
      expect(await deploymentOf(namespace, name)).toBeDefined();
    }
  });

/** Nothing is served there, and the statuses say so. */
const isGone = async (namespace: string): Promise<void> => {
  for (const name of ["a", "b"]) {
    expect(await deploymentOf(namespace, name)).toBeUndefined();
    expect(await get("v1", "Service", namespace, name)).toBeUndefined();
    const conditions = (await gatewayOf(namespace, name))?.status?.conditions;
    expect(conditions?.filter(({ status }) => status === "True")).toEqual([]);
    expect(conditions).toContainEqual(expect.objectContaining({ type: "Programmed", status: "False" }));
  }
};

/** Replica sets and pods go when the garbage collector has seen to it. */
const isAs = (before: readonly string[]): Promise<void> =>
  eventually(async () => expect(await inventoryOf(releases.cluster.client)).toEqual(before));

const read = (manifest: string): readonly Literal[] =>
  parseAllDocuments(readFileSync(new URL(`../../deploy/manifests/${manifest}`, import.meta.url), "utf8")).map(
    (document) => document.toJS() as Literal,
  );

it("serves, is upgraded without a dataplane noticing, and leaves nothing behind", async () => {
  const { cluster, helm, node } = releases;
  const before = await inventoryOf(cluster.client);
  const notes = await install("turnpike", NAMESPACE, `controllerName=${controllerOf("media")}`);
  expect(notes).toContain("kubectl -n turnpike-system port-forward deployment/turnpike 8086");
  await releases.rolledOut(NAMESPACE, "turnpike");
  await makeGateways("media");
  await isServed("media");

  const pods = await cluster.client.list<{ readonly metadata: { readonly name: string } }>({
    apiVersion: "v1",
    kind: "Pod",
    namespace: NAMESPACE,
  });
  const address = node.addressOf(pods[0]!.metadata.name);
  // What its Services lead to.
  expect((await fetch(`http://${address}:13478/api/v1/configs/media/a`)).status).toBe(200);
  expect(await (await fetch(`http://${address}:8080/metrics`)).text()).toContain("turnpike_journal_sequence");
  for (const service of ["discovery", "metrics"])
    await eventually(async () => {
      const slices = await cluster.client.list<{
        readonly endpoints: readonly { readonly addresses: readonly string[] }[];
      }>({
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        namespace: NAMESPACE,
        labelSelector: `kubernetes.io/service-name=turnpike-${service}`,
      });
      expect(slices.flatMap(({ endpoints }) => endpoints.flatMap(({ addresses }) => addresses))).toEqual([address]);
    });
  // The admin API is for `kubectl port-forward` only.
  await expect(fetch(`http://${address}:8086/api/v1/state`)).rejects.toThrow("fetch failed");

  const dataplane = await deploymentOf("media");
  expect(JSON.stringify(dataplane?.spec.template)).toContain("http://turnpike-discovery.turnpike-system.svc:13478");
  await helm("upgrade", "turnpike", chart, "--namespace", NAMESPACE, "--reuse-values", "--set", "logLevel=debug");
  await releases.rolledOut(NAMESPACE, "turnpike");
  await eventually(async () => {
    const now = await cluster.client.list<{ readonly metadata: { readonly name: string } }>({
      apiVersion: "v1",
      kind: "Pod",
      namespace: NAMESPACE,
    });
    expect(now.map(({ metadata }) => metadata.name)).not.toContain(pods[0]!.metadata.name);
    expect(now.length).toBe(1);
  });
  await isServed("media");
  const after = await deploymentOf("media");
  expect(after?.metadata.uid).toBe(dataplane?.metadata.uid);
  expect(after?.metadata.generation).toBe(dataplane?.metadata.generation);

  await helm("uninstall", "turnpike", "--namespace", NAMESPACE);
  await isGone("media");
  // Pods go as soon as they have ended.
  await eventually(async () => {
    const left = (await inventoryOf(cluster.client)).filter((object) => object.includes(` ${NAMESPACE}/`));
    expect(left).toEqual([]);
  });
  await removeAll(cluster.client, ...gateways("media"));
  await cluster.client.delete({ apiVersion: "v1", kind: "Namespace", metadata: { name: "media" } });
  // The namespace is `helm install --create-namespace`'s, which never removes one.
  await cluster.client.delete({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
  await isAs(before);
});

it("cleans up also after an operator that does not run", async () => {
  const { cluster, helm } = releases;
  await install("turnpike", NAMESPACE, `controllerName=${controllerOf("media")}`);
  await releases.rolledOut(NAMESPACE, "turnpike");
  await makeGateways("media");
  await isServed("media");
  const operator = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "turnpike", namespace: NAMESPACE } };
  await cluster.client.delete(operator);
  expect(await helm("uninstall", "turnpike", "--namespace", NAMESPACE)).toContain("uninstalled");
  await isGone("media");
});

it("fails to uninstall, and keeps everything, while something cannot be removed", async () => {
  const { cluster, helm } = releases;
  // So long a busy machine may need to start it; what fails is tried again after ten seconds, and after twenty more.
  await install("turnpike", NAMESPACE, `controllerName=${controllerOf("media")},cleanup.timeoutSeconds=60`);
  await releases.rolledOut(NAMESPACE, "turnpike");
  await makeGateways("media");
  await isServed("media");
  const role = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name: `${NAMESPACE}:turnpike` },
  };
  const { rules } = await cluster.client.get<{
    readonly rules: readonly { readonly resources: readonly string[]; readonly verbs: readonly string[] }[];
  }>(role);
  const withoutDelete = rules.map((rule) => ({ ...rule, verbs: rule.verbs.filter((verb) => verb !== "delete") }));
  /** The API server goes by a changed role a little later. */
  const mayDelete = (allowed: boolean): Promise<void> =>
    eventually(async () => {
      const { status } = await cluster.client.request<{ readonly status: { readonly allowed: boolean } }>(
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        {
          method: "POST",
          body: {
            apiVersion: "authorization.k8s.io/v1",
            kind: "SubjectAccessReview",
            spec: {
              user: `system:serviceaccount:${NAMESPACE}:turnpike`,
              resourceAttributes: { namespace: "media", verb: "delete", resource: "services" },
            },
          },
        },
      );
      expect(status.allowed).toBe(allowed);
    });
  await mayDelete(true);
  await cluster.client.patch(role, { rules: withoutDelete });
  await mayDelete(false);
  await expect(helm("uninstall", "turnpike", "--namespace", NAMESPACE)).rejects.toThrow("turnpike-cleanup");
  expect(await deploymentOf(NAMESPACE, "turnpike")).toBeDefined();
  await cluster.client.patch(role, { rules });
  await mayDelete(true);
  await helm("uninstall", "turnpike", "--namespace", NAMESPACE);
  await isGone("media");
});

it("is installed by plain manifests, and removed by them", async () => {
  const { client } = releases.cluster;
  const before = await inventoryOf(client);
  const manifests = read("turnpike.yaml").filter(({ kind }) => kind !== "CustomResourceDefinition");
  const cleanup = read("cleanup.yaml");
  for (const object of manifests) await client.apply(object);
  await releases.rolledOut(NAMESPACE, "turnpike");
  await makeGateways("media", "default", DEFAULT_CONTROLLER_NAME);
  await isServed("media");
  for (const object of cleanup) await client.apply(object);
  await eventually(async () => {
    const job = await get("batch/v1", "Job", NAMESPACE, "turnpike-cleanup");
    expect(job?.status?.conditions).toContainEqual(expect.objectContaining({ type: "Complete", status: "True" }));
  });
  await isGone("media");
  await removeAll(client, ...cleanup, ...manifests, ...gateways("media"));
  await client.delete({ apiVersion: "v1", kind: "Namespace", metadata: { name: "media" } });
  await isAs(before);
});

it("is installed twice, in two namespaces, and removed once", async () => {
  const { cluster, helm } = releases;
  for (const name of ["one", "two"])
    await install("turnpike", `${name}-system`, `controllerName=${controllerOf(name)}`, `dataplane.name=${name}`);
  for (const name of ["one", "two"]) {
    await releases.rolledOut(`${name}-system`, "turnpike");
    await makeGateways(name, name);
  }
  await isServed("one");
  await isServed("two");
  await helm("uninstall", "turnpike", "--namespace", "one-system");
  await isGone("one");
  const other = await deploymentOf("two");
  await isServed("two");
  // It still works: what is taken from it comes back.
  await cluster.client.delete({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "a", namespace: "two" } });
  await eventually(async () => {
    const again = await deploymentOf("two");
    expect(again).toBeDefined();
    expect(again?.metadata.uid).not.toBe(other?.metadata.uid);
  });
  await helm("uninstall", "turnpike", "--namespace", "two-system");
  await isGone("two");
});

it("is a part of another chart, twice under two names, in namespaces of their own", async () => {
  const { cluster, helm } = releases;
  const folder = releases.umbrella("calls", ["inner", "outer"]);
  await helm("dependency", "update", folder);
  for (const name of ["inner-system", "calls"])
    await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  const values = {
    inner: {
      enabled: true,
      namespaceOverride: "inner-system",
      controllerName: controllerOf("inner"),
      dataplane: { name: "inner" },
    },
    // In the namespace of the release, beside whatever else is there, with two replicas.
    outer: { controllerName: controllerOf("outer"), replicas: 2 },
  };
  await helm("install", "calls", folder, "--namespace", "calls", "--values", releases.values(values));
  await releases.rolledOut("inner-system", "calls-inner");
  await releases.rolledOut("calls", "calls-outer");
  await makeGateways("inner", "inner");
  await makeGateways("outer");
  await isServed("inner");
  await isServed("outer");
  await helm("uninstall", "calls", "--namespace", "calls");
  await isGone("inner");
  await isGone("outer");
  expect((await inventoryOf(cluster.client)).filter((name) => /calls-(inner|outer)/.test(name))).toEqual([]);
});
