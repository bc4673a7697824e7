/** Makes a cluster as good as new between tests, in less time than a new one takes. */
import { setTimeout as after } from "node:timers/promises";
import { ApiError, groupPath, orAbsent, type Client, type Resource } from "./client.ts";

interface Found {
  readonly path: string;
  readonly hasFinalizers: boolean;
}

interface Item {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly finalizers?: readonly string[] };
}

interface Group {
  readonly name: string;
  readonly preferredVersion: { readonly groupVersion: string };
}

/** Made and kept by the cluster itself. */
const isBuiltInNamespace = (name: string): boolean => name === "default" || name.startsWith("kube-");
const isBuiltIn = (resource: string, { metadata: { name, namespace = "" } }: Item): boolean =>
  namespace.startsWith("kube-") ||
  (resource === "serviceaccounts" && name === "default") ||
  (["services", "endpoints", "endpointslices"].includes(resource) && namespace === "default" && name === "kubernetes");

/** Kinds whose controllers would make the others anew. */
const owners: readonly string[] = ["deployments", "daemonsets", "statefulsets", "replicasets", "services"];

const isOurGroup = (name: string): boolean => /\.(l7mp\.io|k8s\.io)$/.test(name) && /gateway|stunner/.test(name);

/** The collections that tests put objects in: all that are namespaced, nodes, and the cluster-wide kinds of our CRDs. */
const collections = async (client: Client): Promise<readonly { path: string; resource: Resource }[]> => {
  const { groups } = await client.request<{ groups: readonly Group[] }>("/apis");
  const versions = [
    { name: "", version: "v1" },
    ...groups.map(({ name, preferredVersion }) => ({ name, version: preferredVersion.groupVersion })),
  ].filter(({ name }) => name !== "events.k8s.io");
  const lists = await Promise.all(
    versions.map(async ({ name, version }) =>
      (await client.resources(version))
        .filter(({ verbs }) => verbs.includes("list") && verbs.includes("delete"))
        .filter((one) => one.namespaced || one.name === "nodes" || isOurGroup(name))
        .map((resource) => ({ path: groupPath(version), resource })),
    ),
  );
  return lists.flat();
};

const leftIn = async (client: Client, path: string, { name, namespaced }: Resource): Promise<readonly Found[]> => {
  const { items } = await client.request<{ items: readonly Item[] }>(`${path}/${name}`);
  return items
    .filter((item) => !isBuiltIn(name, item))
    .map(({ metadata }) => ({
      path: `${path}${namespaced ? `/namespaces/${metadata.namespace}` : ""}/${name}/${metadata.name}`,
      hasFinalizers: (metadata.finalizers?.length ?? 0) > 0,
    }));
};

const orChanged = (error: unknown): undefined => {
  if (error instanceof ApiError && error.status === 409) return undefined;
  return orAbsent(error);
};

const remove = async (client: Client, { path, hasFinalizers }: Found): Promise<void> => {
  if (hasFinalizers)
    await client
      .request(path, {
        method: "PATCH",
        body: { metadata: { finalizers: null } },
        contentType: "application/merge-patch+json",
      })
      .catch(orChanged);
  await client.request(path, { method: "DELETE", body: { gracePeriodSeconds: 0 } }).catch(orChanged);
};

interface Namespace extends Item {
  readonly metadata: Item["metadata"] & {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
}

const GIVEN_BY_THE_CLUSTER = "kubernetes.io/metadata.name";

const without = (values: Readonly<Record<string, string>> = {}): Readonly<Record<string, null>> =>
  Object.fromEntries(Object.keys(values).flatMap((key) => (key === GIVEN_BY_THE_CLUSTER ? [] : [[key, null]])));

/**
 * Waits for namespaces that a test has deleted, and strips the others of labels and annotations. They stay: the namespace
 * controller takes five seconds before it empties what was deleted, and goes by the name. In a namespace that was
 * deleted, finalized by us and made again meanwhile, it deletes what the next test has made.
 */
const clearNamespaces = async (client: Client): Promise<void> => {
  for (;;) {
    const { items } = await client.request<{ items: readonly Namespace[] }>("/api/v1/namespaces");
    if (items.every(({ metadata: { deletionTimestamp } }) => deletionTimestamp === undefined)) {
      for (const { metadata } of items) {
        const { name, labels, annotations } = metadata;
        if (isBuiltInNamespace(name)) continue;
        await client.request(`/api/v1/namespaces/${name}`, {
          method: "PATCH",
          body: { metadata: { labels: without(labels), annotations: without(annotations) } },
          contentType: "application/merge-patch+json",
        });
      }
      return;
    }
    await after(50);
  }
};

/**
 * Deletes what tests have made: namespaced objects of every kind, cluster-wide objects of Gateway API and of our kinds,
 * and nodes. Returns when all is gone. Definitions, cluster roles and their bindings stay, and namespaces, empty.
 */
export const resetCluster = async (client: Client): Promise<void> => {
  const all = await collections(client);
  const stages = [true, false].map((isOwner) =>
    all.filter(({ resource }) => owners.includes(resource.name) === isOwner),
  );
  // Controllers under way may still make something: until nothing is found twice in a row.
  for (let quiet = 0; quiet < 2;) {
    let found = 0;
    for (const stage of stages) {
      const left = (await Promise.all(stage.map(({ path, resource }) => leftIn(client, path, resource)))).flat();
      await Promise.all(left.map((one) => remove(client, one)));
      found += left.length;
    }
    quiet = found === 0 ? quiet + 1 : 0;
    if (found > 0) await after(20);
  }
  await clearNamespaces(client);
};
