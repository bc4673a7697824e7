/**
 * An installation of STUNner handed over to Turnpike by `helm upgrade`, and back by `helm rollback`. STUNner's operator has a
 * stand-in that writes what was recorded of the real one (stunner/operator.ts); its dataplane pods run `stunnerd` as its
 * default Dataplane says, which here is ours.
 */
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import type { Pod } from "../cluster/node-agent.ts";
import type { Literal, Reference } from "../cluster/client.ts";
import { scenarios } from "../conformance/scenario.ts";
import { STUNNERD } from "../support/dataplane-process.ts";
import { startStream, type Stream } from "../support/stream.ts";
import { chart } from "./helm.ts";
import { inventoryOf } from "./inventory.ts";
import { useReleases } from "./releases.ts";
import { eventually } from "../support/eventually.ts";

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const theirs = pathOf("stunner");
const releases = useReleases({
  stunnerd: [STUNNERD],
  "/manager": [process.execPath, pathOf("stunner/operator.ts")],
  "media-server": [process.execPath, pathOf("../cluster/media-server.ts")],
});

const SYSTEM = "stunner-system";
const NAMESPACE = "stunner";
const MEDIA_PORT = 9000;
const credentials = { username: "user", password: "secret-pass" };

/** What a user has, as recorded; the media server runs, and so nobody writes its EndpointSlice by hand. */
const userObjects = (): readonly Literal[] => {
  const operations = scenarios.find(({ name }) => name === "basic-udp")!.stages[0]!.do;
  const applied = operations.flatMap((one) => ("apply" in one ? [one.apply as unknown as Literal] : []));
  return applied
    .filter(({ kind }) => kind !== "EndpointSlice" && kind !== "Dataplane")
    .map((object) =>
      object.kind === "Service"
        ? { ...object, spec: { ...(object["spec"] as object), selector: { app: "media" } } }
        : object,
    );
};
const mediaServer: Literal = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "media", namespace: NAMESPACE },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: "media" } },
    template: {
      metadata: { labels: { app: "media" } },
      spec: {
        containers: [
          {
            name: "media",
            image: "example.org/media",
            command: ["media-server"],
            readinessProbe: { httpGet: { path: "/", port: 9001 } },
          },
        ],
      },
    },
  },
};

/** As docs/guides/moving-from-stunner.md has it. */
const withoutLeftovers = [
  { op: "remove", path: "/spec/template/spec/volumes" },
  { op: "remove", path: "/spec/template/spec/securityContext" },
  { op: "remove", path: "/spec/template/spec/containers/0/securityContext" },
];

interface Workload {
  readonly metadata: { readonly uid: string; readonly labels: unknown; readonly annotations: unknown };
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly [{ readonly env: unknown }] } };
  };
}

/** But for the address of the operator, which is a new pod. */
const templateOf = ({ spec }: Workload): unknown =>
  JSON.parse(JSON.stringify(spec.template).replace(/http:\/\/10\.244\.\d+\.\d+/, "http://OPERATOR"));

const hasLeftovers = ({ spec }: Workload): boolean => JSON.stringify(spec.template).includes("runAsUser");

const reference = (apiVersion: string, kind: string, name: string): Reference => ({
  apiVersion,
  kind,
  metadata: { name, namespace: NAMESPACE },
});
const DEPLOYMENT = reference("apps/v1", "Deployment", "gw");
const SERVICE = reference("v1", "Service", "gw");

const podsOf = (namespace: string, labelSelector: string): Promise<readonly Pod[]> =>
  releases.cluster.client.list<Pod>({ apiVersion: "v1", kind: "Pod", namespace, labelSelector });

/** The dataplane that takes new calls: it has the address of `origin`, and serves. */
const dataplaneOf = (origin: RegExp): Promise<string> =>
  eventually(async () => {
    const pods = (await podsOf(NAMESPACE, "app=stunner")).filter(
      (pod) => pod.metadata.deletionTimestamp === undefined && origin.test(JSON.stringify(pod.spec)),
    );
    expect(pods).toHaveLength(1);
    const address = releases.node.addressOf(pods[0]!.metadata.name)!;
    expect((await fetch(`http://${address}:8086/ready`)).status).toBe(200);
    return address;
  });

const call = async (host: string): Promise<Stream> => {
  const media = await eventually(async () => {
    const [pod] = await podsOf(NAMESPACE, "app=media");
    const address = releases.node.addressOf(pod?.metadata.name ?? "");
    expect(address).toBeDefined();
    return address!;
  });
  const stream = await eventually(() =>
    startStream({ host, port: 3478, transport: "udp", ...credentials }, { address: media, port: MEDIA_PORT }),
  );
  onTestFinished(() => stream.stop());
  await stream.flows(20);
  return stream;
};

const gatewayMessages = async (): Promise<string> => {
  const { status } = await releases.cluster.client.get<{ readonly status?: unknown }>(
    reference("gateway.networking.k8s.io/v1", "Gateway", "gw"),
  );
  return JSON.stringify(status);
};

// Of pods there are others each time, and addresses of Services are any that are free.
const PASSING = /^(pods|ipaddresses\.networking\.k8s\.io|replicasets\.apps|secrets|endpointslices|endpoints)\b/;
const inventory = async (): Promise<readonly string[]> =>
  (await inventoryOf(releases.cluster.client)).filter((one) => !PASSING.test(one));

it("keeps calls, addresses and objects, there and back", async () => {
  const { cluster, helm } = releases;
  const workload = () => cluster.client.get<Workload>(DEPLOYMENT);
  const service = () =>
    cluster.client.get<{ readonly metadata: { readonly uid: string }; readonly spec: unknown }>(SERVICE);

  const settings = "stunnerGatewayOperator.customerKey=none,stunnerAuthService.enabled=true";
  await helm("install", "stunner", theirs, "-n", SYSTEM, "--create-namespace", "--set", settings);
  for (const object of [...userObjects(), mediaServer]) await cluster.client.apply(object, { fieldManager: "user" });
  const first = await dataplaneOf(/http:\/\/10\.244\./);
  const before = { workload: await workload(), service: await service(), objects: await inventory() };
  const atFirst = await call(first);

  const notes = await helm("upgrade", "stunner", chart, "-n", SYSTEM, "--reset-then-reuse-values");
  expect(notes).toContain("stunnerGatewayOperator.customerKey");
  await releases.rolledOut(SYSTEM, "stunner-turnpike");
  const second = await dataplaneOf(/http:\/\/stunner-turnpike-discovery\.stunner-system\.svc:13478/);
  expect(second).not.toBe(first);
  const atSecond = await call(second);
  // The pod that was there first is leaving, and in no hurry.
  await atFirst.flows(100);
  expect((await workload()).metadata.uid).toBe(before.workload.metadata.uid);
  expect(await service()).toMatchObject({
    metadata: { uid: before.service.metadata.uid },
    spec: before.service.spec as object,
  });
  await eventually(async () => expect(await gatewayMessages()).not.toContain("stand-in"));
  await releases.rolledOut(SYSTEM, "stunner-turnpike-auth");
  const auth = await cluster.client.get<{ readonly spec: { readonly clusterIP: string } }>({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "stunner-auth", namespace: SYSTEM },
  });
  await eventually(async () => {
    const ice = await fetch(`http://${auth.spec.clusterIP}:8088/ice?service=turn&public-addr=192.0.2.1`);
    expect(await ice.json()).toMatchObject({ iceServers: [{ username: "user", credential: "secret-pass" }] });
  });

  await helm("rollback", "stunner", "1", "-n", SYSTEM);
  const third = await dataplaneOf(/http:\/\/10\.244\./);
  const atThird = await call(third);
  for (const stream of [atFirst, atSecond, atThird]) await stream.flows(100);
  for (const stream of [atFirst, atSecond, atThird]) expect(await stream.lost()).toEqual([]);
  await eventually(async () => expect(await gatewayMessages()).toContain("stand-in"));
  await eventually(async () => expect(await inventory()).toEqual(before.objects));
  expect((await service()).spec).toEqual(before.service.spec);
  const { metadata } = before.workload;
  expect((await workload()).metadata).toMatchObject({ uid: metadata.uid, labels: metadata.labels });

  // STUNner takes away no volume, and no security context that its Dataplane does not have: whoever goes back does it by hand.
  // There is none where our operator saw that Dataplane come back before it ended.
  await eventually(async () => {
    if (hasLeftovers(await workload())) await cluster.client.patch(DEPLOYMENT, withoutLeftovers, { type: "json" });
    expect(templateOf(await workload())).toEqual(templateOf(before.workload));
  });
});
