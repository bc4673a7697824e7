/** What is there once all is quiet, and whether it is what it should be. */
import { expect } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { segmentsIn } from "../../src/journal/segment.ts";
import { collectionPath } from "../../src/kubernetes/paths.ts";
import type { DataplaneConfig } from "../../src/resources/dataplane-config.ts";
import { createVault } from "../../src/journal/vault.ts";
import { nameOfObject } from "../../src/resources/keys.ts";
import { kinds, type AnyObject, type Kind, type KindId } from "../../src/resources/kinds.ts";
import type { Operator } from "../../src/runtime/operator.ts";
import { reduce } from "../../src/watchers/kubernetes/reduce.ts";
import type { Observed } from "../conformance/scenario.ts";
import { keepLog } from "../support/logs.ts";
import { orAbsent } from "./client.ts";
import type { Cluster } from "./cluster.ts";
import { observeCluster } from "./recorded.ts";
import { eventually } from "../support/eventually.ts";

export const configsAt = async (port: number): Promise<readonly DataplaneConfig[]> => {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/configs`);
  expect(response.ok).toBe(true);
  return ((await response.json()) as { readonly items: readonly DataplaneConfig[] }).items;
};

/** Pod addresses that clients may reach, by gateway. */
export const reachable = (configs: readonly DataplaneConfig[]): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    configs.map(({ admin, clusters = [] }) => [
      admin.name.replace("ns/", ""),
      clusters.flatMap(({ endpoints = [] }) => endpoints.map((one) => one.replace(/:.*|\/32/, ""))).toSorted(),
    ]),
  );

/** Waits until these gateways, and no others, reach these pods. */
export const reaches = (operator: Operator, expected: Readonly<Record<string, readonly string[]>>): Promise<void> =>
  eventually(async () => {
    const found = reachable(await configsAt(operator.discovery.port));
    expect(Object.keys(found).toSorted()).toEqual(Object.keys(expected).toSorted());
    for (const [name, addresses] of Object.entries(expected))
      expect(found[name]?.filter((one) => one.startsWith("10.0."))).toEqual(addresses);
  });

/** Of what may hold secrets the operator keeps digests, so only which object and which version can be compared. */
const HOLD_SECRETS: readonly KindId[] = ["Secret", "GatewayConfig"];

/** Takes away what the operator keeps nothing of; its digests are those of another run. */
const vault = createVault();

/** Environments hold secrets as well: which variables there are can be compared, not what they are set to. */
const hideEnvironments = (object: unknown): unknown =>
  JSON.parse(
    JSON.stringify(object, (key, value: unknown) =>
      key === "env" && Array.isArray(value)
        ? value.map((one: { readonly name?: string }) => ({ name: one.name }))
        : value,
    ),
  );

const byName = (kind: Kind, objects: readonly AnyObject[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    objects.map((object) => {
      const { name, uid, generation } = object.metadata;
      return [
        nameOfObject(kind.id, object),
        HOLD_SECRETS.includes(kind.id)
          ? { name, uid, generation }
          : hideEnvironments({ ...vault.redact(kind.id, reduce(kind.id, object)), apiVersion: "", kind: "" }),
      ];
    }),
  );

/** What the operator takes for the cluster is what the cluster is. */
const knows = async (cluster: Cluster, operator: Operator): Promise<void> => {
  await Promise.all(
    kinds
      // Of what is not watched the operator knows nothing.
      .filter(({ id }) => id !== "Endpoints" && id !== "ConfigMap")
      .map(async (kind) => {
        const list = await cluster.client
          .request<{ readonly items: readonly AnyObject[] }>(collectionPath(kind, kind.versions[0] ?? "v1"))
          .catch(orAbsent);
        expect(byName(kind, operator.loop.core.view.list(kind.id))).toEqual(byName(kind, list?.items ?? []));
      }),
  );
};

/** Configs, objects and statuses, once the operator knows all, has written all, and nothing changes. */
export const settled = async (cluster: Cluster, operator: Operator): Promise<Observed> => {
  let last: string | undefined;
  return eventually(async () => {
    await operator.idle();
    expect(operator.left).toEqual([]);
    await knows(cluster, operator);
    const observed = await observeCluster(cluster, await configsAt(operator.discovery.port));
    const text = JSON.stringify(observed);
    const before = last;
    last = text;
    expect(text).toBe(before);
    return observed;
  });
};

export type Versions = Readonly<Record<string, { readonly uid: string; readonly version: string }>>;

/** Services and Deployments: which they are, and which version; what controllers tell of a Deployment does not count. */
export const objectsIn = async (cluster: Cluster, namespace = "ns"): Promise<Versions> => {
  const lists = await Promise.all([
    cluster.client.list<AnyObject>({ apiVersion: "v1", kind: "Service", namespace }),
    cluster.client.list<AnyObject>({ apiVersion: "apps/v1", kind: "Deployment", namespace }),
  ]);
  return Object.fromEntries(
    lists.flatMap((list, index) =>
      list.map(({ metadata }) => [
        `${index === 0 ? "Service" : "Deployment"} ${metadata.name}`,
        { uid: metadata.uid ?? "", version: String(metadata.generation ?? metadata.resourceVersion) },
      ]),
    ),
  );
};

/** The log, and each of its segments alone, leads to what it says. */
export const replays = (journal: string): void => {
  const { divergence, runs } = replay(readJournal(journal), digest);
  expect(divergence).toBeUndefined();
  expect(runs).toBeGreaterThan(0);
  for (const segment of segmentsIn(journal))
    expect(replay(readJournal(segment), digest).divergence, segment).toBeUndefined();
  keepLog(journal);
};
