/**
 * The rights that the chart gives are enough, and each is needed: an operator lives through all that it does, with all of
 * them, and then with one of them taken away. (The recorded scenarios, too, run with the chart's rights:
 * ../cluster/conformance.test.ts.)
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ApiError } from "../../src/kubernetes/api.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { finalize } from "../../src/runtime/finalize.ts";
import { startOperator, type Operator, type OperatorOptions } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { Client, orAbsent, type Literal } from "../cluster/client.ts";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import { reportPod } from "../cluster/node.ts";
import { resetCluster } from "../cluster/reset.ts";
import { applyAll, world } from "../cluster/world.ts";
import { gateway } from "../support/objects.ts";
import { watchRefusals, type Refusals } from "./refusals.ts";
import { rightsIn, rightsOf, type Access, type Rights } from "./rights.ts";
import { eventually } from "../support/eventually.ts";

let cluster: Cluster;
let refusals: Refusals;
let access: Access | undefined;
let root: string;

/** Of a dataplane's pod with one allocation. */
const status = createServer((_, response) => response.end('{"allocationCount":1}'));
let podPort: number;

beforeAll(async () => {
  status.listen(0, "127.0.0.1");
  await once(status, "listening");
  podPort = (status.address() as AddressInfo).port;
  cluster = await startCluster();
  refusals = watchRefusals(() => access?.token ?? "none");
});
afterAll(async () => {
  refusals?.stop();
  status.close();
  await cluster?.stop();
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const MODES = ["managed", "managed with Endpoints", "in one namespace", "with deletion costs", "legacy"] as const;
type Mode = (typeof MODES)[number];

const valuesOf: Readonly<Record<Mode, Readonly<Record<string, unknown>>>> = {
  managed: {},
  "managed with Endpoints": { endpointSource: "Endpoints" },
  "in one namespace": { watchNamespaces: ["ns"] },
  "with deletion costs": { podDeletionCost: true },
  legacy: { dataplaneMode: "legacy" },
};

const optionsOf = (mode: Mode, { namespace, lease }: Rights): Omit<OperatorOptions, "kubeconfig"> => ({
  render: operatorOptions({
    discoveryAddress: "127.0.0.1:13478",
    mode: mode === "legacy" ? "legacy" : "managed",
    endpointSource: mode === "managed with Endpoints" ? "Endpoints" : "EndpointSlice",
  }),
  ...(mode === "in one namespace" ? { namespaces: ["ns"] } : {}),
  journal: join(root, "journal"),
  discovery: { host: "127.0.0.1", port: 0 },
  ...(mode === "with deletion costs" ? { deletionCosts: { everyMs: 50, podPort } } : {}),
  lease: { namespace, name: lease, retryMs: 50 },
  finalizer: true,
  listWatch: { firstPauseMs: 20, longestPauseMs: 200 },
  log: pino({ level: "silent" }),
});

/** A second listener of an unknown protocol: an Event says that it is refused. */
const crowded = gateway("b", [
  { name: "udp", port: 3478, protocol: "TURN-UDP" },
  { name: "web", port: 80, protocol: "HTTP" },
]);

const gatewayApiRoute: Literal = {
  apiVersion: "gateway.networking.k8s.io/v1alpha2",
  kind: "UDPRoute",
  metadata: { name: "theirs", namespace: "ns" },
  spec: { parentRefs: [{ name: "a" }], rules: [{ backendRefs: [{ name: "media-a", port: 9000 }] }] },
};

const start = async (): Promise<void> => {
  root = mkdtempSync(join(tmpdir(), "turnpike-rbac-"));
  access = undefined;
  await resetCluster(cluster.client);
  refusals.clear();
  await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "ns" } });
  await applyAll(cluster.client, ...world);
  await cluster.client.apply(gatewayApiRoute);
};

const workloads = async (kind: string): Promise<readonly { readonly spec: unknown }[]> =>
  cluster.client.list({ apiVersion: "apps/v1", kind, namespace: "ns" });
const policies = () =>
  cluster.client.list({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", namespace: "ns" });
const gatewayA = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: { name: "a", namespace: "ns" },
};
const dataplane = { apiVersion: "stunner.l7mp.io/v1", kind: "Dataplane", metadata: { name: "default" } };
const config = {
  apiVersion: "stunner.l7mp.io/v1",
  kind: "GatewayConfig",
  metadata: { name: "config", namespace: "ns" },
};
const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "stunnerd-config", namespace: "ns" } };
const deployment: Literal = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "turnpike", namespace: "turnpike-system" },
  spec: {
    selector: { matchLabels: { app: "operator" } },
    template: {
      metadata: { labels: { app: "operator" } },
      spec: { containers: [{ name: "operator", image: "turnpike" }] },
    },
  },
};
const has = async (kind: string, count: number, text = ""): Promise<void> => {
  const found = await workloads(kind);
  expect(found.length).toBe(count);
  for (const one of found) expect(JSON.stringify(one.spec)).toContain(text);
};
const until = (check: () => Promise<unknown>): Promise<void> => eventually(async () => void (await check()));
const listenerRefused = async (): Promise<void> => {
  await applyAll(cluster.client, crowded);
  await until(async () => {
    const events = await cluster.client.list<{ readonly reason: string }>({
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      namespace: "ns",
    });
    expect(events.map(({ reason }) => reason)).toContain("ListenerRefused");
  });
};

/** Steps of a life after which every right has been of use; each ends when what it is for is there. */
const life: Readonly<Record<"managed" | "legacy", readonly (() => Promise<unknown>)[]>> = {
  managed: [
    () => until(() => has("Deployment", 2)),
    listenerRefused,
    () => cluster.client.patch(dataplane, { spec: { image: "image:2" } }),
    () => until(() => has("Deployment", 2, "image:2")),
    () => cluster.client.patch(dataplane, { spec: { dataplaneResource: "DaemonSet" } }),
    () => until(() => has("Deployment", 0)),
    () => until(() => has("DaemonSet", 2)),
    () => cluster.client.patch(dataplane, { spec: { image: "image:3" } }),
    () => until(() => has("DaemonSet", 2, "image:3")),
    () => cluster.client.patch(gatewayA, { metadata: { annotations: { "turnpike.dev/network-policy": "enabled" } } }),
    () => until(async () => expect(await policies()).toHaveLength(1)),
    () => cluster.client.patch(gatewayA, { metadata: { annotations: { "turnpike.dev/network-policy": null } } }),
    () => until(async () => expect(await policies()).toHaveLength(0)),
  ],
  legacy: [
    listenerRefused,
    () => until(async () => expect(JSON.stringify(await cluster.client.get(configMap))).toContain("pass")),
    () => cluster.client.patch(config, { spec: { password: "another" } }),
    () => until(async () => expect(JSON.stringify(await cluster.client.get(configMap))).toContain("another")),
  ],
};

const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";

/** A dataplane's pod runs here, and has a call. */
const costIsKnown = async (): Promise<void> => {
  const pods = () =>
    cluster.client.list<Literal & { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } }>({
      apiVersion: "v1",
      kind: "Pod",
      namespace: "ns",
    });
  const [pod] = await eventually(async () => {
    const found = await pods();
    expect(found.length).toBeGreaterThan(0);
    return found;
  });
  await reportPod(cluster.client, { name: pod!.metadata.name, namespace: "ns" }, ["127.0.0.1"]);
  await until(async () =>
    expect((await pods()).map(({ metadata }) => metadata.annotations?.[DELETION_COST])).toContain("1"),
  );
};

/** Ends early once something is refused. */
const live = async (mode: Mode, rights: Rights): Promise<void> => {
  const operator: Operator = await startOperator({ ...optionsOf(mode, rights), kubeconfig: access!.kubeconfig });
  let isOver = false;
  let isStopped = false;
  const isRefused = (): boolean => refusals.lacked.size > 0;
  const refused = eventually(() => expect(isOver || isRefused()).toBe(true));
  try {
    const steps = [
      () => until(async () => expect(operator.state).toBe("leading")),
      ...(mode === "with deletion costs" ? [() => until(() => has("Deployment", 2)), costIsKnown] : []),
      ...life[mode === "legacy" ? "legacy" : "managed"],
      () => operator.idle(),
    ];
    for (const step of steps) if (!isRefused()) await Promise.race([refused, step()]);
    if (!isRefused()) {
      const stopping = operator.stop("test");
      await Promise.race([refused, stopping]);
      if (isRefused()) await stopping;
      isStopped = true;
    }
  } catch (error) {
    const last = [...readJournal(join(root, "journal"))].slice(-20);
    console.log(
      operator.state,
      [...refusals.lacked],
      last.map((line) => JSON.stringify(line).slice(0, 200)),
    );
    throw error;
  } finally {
    isOver = true;
    if (!isStopped) await operator.stop("test", 0);
  }
};

const may = async (rights: string, namespace = "turnpike-system"): Promise<boolean> => {
  const [verb, place = ""] = rights.split(" ");
  const slash = place.indexOf("/");
  const [resource, subresource] = place.slice(slash + 1).split("/");
  const asking = new Client({ ...cluster, token: access!.token });
  try {
    const { status } = await asking.request<{ readonly status: { readonly allowed: boolean } }>(
      "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
      {
        method: "POST",
        body: {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SelfSubjectAccessReview",
          spec: {
            resourceAttributes: {
              namespace,
              verb,
              group: place.slice(0, slash),
              resource,
              ...(subresource === undefined ? {} : { subresource }),
              ...(resource === "leases" || subresource === "scale" ? { name: "turnpike" } : {}),
            },
          },
        },
      },
    );
    return status.allowed;
  } finally {
    await asking.close();
  }
};

/** Waits until the API server goes by what was granted: a right of each role is there, and the one that is missing is not. */
const isGranted = ({ roles }: Rights, missing?: string): Promise<void> =>
  until(async () => {
    for (const { rules, ...role } of roles) {
      const general = rules.filter((rule) => !("resourceNames" in rule));
      const right = rightsIn([{ ...role, rules: general }]).find((one) => one !== missing);
      if (right !== undefined) expect(await may(right, role.metadata.namespace)).toBe(true);
    }
    if (missing !== undefined) expect(await may(missing)).toBe(false);
  });

/** Of what it was given; an apply needs the right to create as well where nothing is yet. */
const APPLIED = [/^create .*\/(services|configmaps|deployments|daemonsets|networkpolicies)$/];

describe.each(MODES)("the rights of an operator, %s", (mode) => {
  it("are enough for all that it does, and are all used", async () => {
    await start();
    const rights = await rightsOf(valuesOf[mode]);
    access = await rights.grant(cluster);
    await isGranted(rights);
    if (mode === "in one namespace") expect(await may("list /secrets")).toBe(false);
    refusals.clear();
    await live(mode, rights);
    expect([...refusals.lacked]).toEqual([]);
    const given = rightsIn(rights.roles);
    expect(given.filter((right) => !refusals.used.has(right) && !APPLIED.some((one) => one.test(right)))).toEqual([]);
    expect([...refusals.used].filter((right) => !given.includes(right))).toEqual([]);
    for (const kind of ["Deployment", "DaemonSet"]) await has(kind, 0);
    expect(await cluster.client.get(configMap).catch(orAbsent)).toBeUndefined();
  });
});

/** Every right of the first operator, and those of the others that it does not have. */
const RIGHTS: readonly (readonly [Mode, readonly string[]])[] = await (async () => {
  const rendered = await Promise.all(
    MODES.map(async (mode) => [mode, rightsIn((await rightsOf(valuesOf[mode])).roles)] as const),
  );
  const seen = new Set<string>();
  return rendered.map(([mode, rights]) => {
    const fresh = rights.filter((right) => !seen.has(right));
    for (const right of fresh) seen.add(right);
    return [mode, fresh] as const;
  });
})();

it.each(RIGHTS.flatMap(([mode, rights]) => rights.map((right) => [right, mode] as const)))(
  "misses %s (%s)",
  async (right, mode) => {
    await start();
    const rights = await rightsOf(valuesOf[mode]);
    access = await rights.grant(cluster, right);
    await isGranted(rights, right);
    await live(mode, rights);
    const asked = right.replace(
      /^create (?=.*\/(services|configmaps|deployments|daemonsets|networkpolicies)$)/,
      "patch ",
    );
    expect([...refusals.lacked]).toContain(asked);
  },
);

const JOB = ["patch apps/deployments/scale", "list /pods"];

describe("the Job that removes everything", () => {
  const run = async (missing?: string): Promise<void> => {
    await start();
    const rights = await rightsOf({}, true);
    access = await rights.grant(cluster, missing);
    // It would be the Deployment of the operator; its pods end as soon as they are not wanted.
    await applyAll(cluster.client, deployment);
    await isGranted(rights, missing);
    const options = optionsOf("managed", rights);
    await finalize({
      operator: { ...options, kubeconfig: access.kubeconfig },
      deployment: { namespace: rights.namespace, name: "turnpike" },
      limitMs: 20_000,
    });
  };

  it("has the rights that it needs", async () => {
    await run();
    expect([...refusals.lacked]).toEqual([]);
    expect(JOB.filter((right) => !refusals.used.has(right))).toEqual([]);
    expect(await cluster.client.get<{ readonly spec: { readonly replicas: number } }>(deployment)).toMatchObject({
      spec: { replicas: 0 },
    });
  });

  it.each(JOB)("misses %s", async (right) => {
    await expect(run(right)).rejects.toThrow(ApiError);
    expect([...refusals.lacked]).toEqual([right]);
  });
});
