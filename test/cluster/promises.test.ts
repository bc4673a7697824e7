/**
 * What users are promised, end to end: real Deployments and EndpointSlices, our operator, and for each pod a process in a
 * network of its own: media servers, and the dataplanes that the operator asked for.
 */
import { readdirSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { startOperator, type Operator, type OperatorOptions } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { STUNNERD } from "../support/dataplane-process.ts";
import { keepLog } from "../support/logs.ts";
import { addAddress, enterOwnNetwork, HOST_ADDRESS } from "../support/network.ts";
import { startStream, type Stream } from "../support/stream.ts";
import { orAbsent, type Literal } from "./client.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { startNodeAgent, type NodeAgent, type Pod } from "./node-agent.ts";
import { resetCluster } from "./reset.ts";

const NAMESPACE = "media";
const DISCOVERY = 13_478;
const MEDIA_PORT = 9000;
const credentials = { username: "user-1", password: "pass-1" };
const soon = { timeout: 20_000, interval: 20 };

let cluster: Cluster;
let node: NodeAgent;
let operator: Operator | undefined;
let root: string;
let streams: Stream[];
let starts = 0;

beforeAll(async () => {
  enterOwnNetwork();
  cluster = await startCluster();
}, 300_000);
afterAll(async () => {
  await cluster?.stop();
}, 300_000);

const apply = (...objects: readonly Literal[]) => Promise.all(objects.map((object) => cluster.client.apply(object)));
const meta = (name: string) => ({ name, namespace: NAMESPACE });

const newOperator = (more: Partial<OperatorOptions> = {}): Promise<Operator> =>
  startOperator({
    kubeconfig: cluster.kubeconfig,
    render: operatorOptions({ discoveryAddress: `${HOST_ADDRESS}:${DISCOVERY}` }),
    journal: join(root, `operator-${(starts += 1)}`),
    discovery: { host: "0.0.0.0", port: DISCOVERY },
    finalizer: false,
    drainMs: 0,
    log: pino({ level: "silent" }),
    ...more,
  });
const startOurs = async (more: Partial<OperatorOptions> = {}): Promise<Operator> => {
  operator = await newOperator(more);
  return operator;
};
const stopOurs = async (): Promise<void> => {
  const stopped = operator;
  operator = undefined;
  expect(await stopped?.stop("test")).toEqual([]);
};

const gateway = (annotations: Readonly<Record<string, string>> = {}): Literal => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: { ...meta("gateway"), annotations: { "stunner.l7mp.io/enable-mixed-protocol-lb": "true", ...annotations } },
  spec: {
    gatewayClassName: "media",
    listeners: [
      { name: "udp", port: 3478, protocol: "TURN-UDP" },
      { name: "tcp", port: 3478, protocol: "TURN-TCP" },
    ],
  },
});

/** Media servers that take three seconds of grace, and none of them is asked to hurry. */
const media = (name: string, replicas: number, more: Readonly<Record<string, unknown>> = {}): readonly Literal[] => [
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: meta(name),
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name }, ...more },
        spec: {
          terminationGracePeriodSeconds: 3,
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
  },
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: meta(name),
    spec: { selector: { app: name }, ports: [{ port: MEDIA_PORT, protocol: "UDP" }] },
  },
];

const dataplane = (spec: Readonly<Record<string, unknown>> = {}): Literal => ({
  apiVersion: "stunner.l7mp.io/v1",
  kind: "Dataplane",
  metadata: { name: "default" },
  spec: { image: "example.org/turnpike", args: ["-w", "--udp-thread-num=1"], ...spec },
});

const world: readonly Literal[] = [
  {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "GatewayClass",
    metadata: { name: "media" },
    spec: {
      controllerName: "stunner.l7mp.io/gateway-operator",
      parametersRef: { group: "stunner.l7mp.io", kind: "GatewayConfig", name: "config", namespace: NAMESPACE },
    },
  },
  {
    apiVersion: "stunner.l7mp.io/v1",
    kind: "GatewayConfig",
    metadata: meta("config"),
    spec: { authType: "static", userName: credentials.username, password: credentials.password },
  },
  gateway(),
  {
    apiVersion: "stunner.l7mp.io/v1",
    kind: "UDPRoute",
    metadata: meta("route"),
    spec: { parentRefs: [{ name: "gateway" }], rules: [{ backendRefs: [{ name: "media", namespace: NAMESPACE }] }] },
  },
];

const labelled = async (selector: string): Promise<readonly Pod[]> =>
  cluster.client.list<Pod>({ apiVersion: "v1", kind: "Pod", namespace: NAMESPACE, labelSelector: selector });
/** Pods that run and are not on their way out. */
const ready = async (selector: string, count: number): Promise<readonly Pod[]> =>
  vi.waitFor(async () => {
    const pods = (await labelled(selector)) as readonly (Pod & {
      readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
    })[];
    const are = pods.filter(
      ({ metadata, status }) =>
        metadata.deletionTimestamp === undefined &&
        status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true,
    );
    expect(are).toHaveLength(count);
    return are;
  }, soon);
const MEDIA = "app=media";
const DATAPLANE = "app=stunner";
const address = (pod: Pod): string => node.addressOf(pod.metadata.name)!;

const served = async (): Promise<string> =>
  (await fetch(`http://127.0.0.1:${DISCOVERY}/api/v1/configs/${NAMESPACE}/gateway`)).text();
const serves = (...pods: readonly Pod[]) =>
  vi.waitFor(async () => {
    const text = await served();
    for (const pod of pods) expect(text).toContain(`"${address(pod)}"`);
  }, soon);

/** A call through a dataplane pod to a media pod, which runs. */
const call = async (through: Pod, to: string, transport: "udp" | "tcp" = "udp"): Promise<Stream> => {
  const connection = { host: address(through), port: 3478, transport, ...credentials };
  // The endpoint is on its way to the dataplane.
  const stream = await vi.waitFor(() => startStream(connection, { address: to, port: MEDIA_PORT }), soon);
  streams.push(stream);
  await stream.flows(5);
  return stream;
};
/** A client may not reach `to` through `through`, or soon may not: what the operator serves is on its way to the dataplane. */
const refused = (through: Pod, to: string): Promise<void> =>
  vi.waitFor(async () => {
    const client = await TurnClient.connect({ host: address(through), port: 3478, ...credentials });
    try {
      await client.allocate();
      await expect(client.createPermission(to)).rejects.toMatchObject({ code: 403 });
    } finally {
      client.close();
    }
  }, soon);
/** As a person does it: with the pod's own grace period. */
const deletePod = async ({ metadata }: Pod): Promise<void> => {
  await cluster.client.request(`/api/v1/namespaces/${NAMESPACE}/pods/${metadata.name}`, { method: "DELETE" });
};
const exists = async (reference: Pick<Literal, "apiVersion" | "kind"> & { readonly name: string }): Promise<boolean> =>
  (await cluster.client.get({ ...reference, metadata: meta(reference.name) }).catch(orAbsent)) !== undefined;
const DEPLOYMENT = { apiVersion: "apps/v1", kind: "Deployment", name: "gateway" };
const SERVICE = { apiVersion: "v1", kind: "Service", name: "gateway" };

const programmed = async (): Promise<string | undefined> => {
  const object = await cluster.client.get<{
    readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }>(gateway());
  return object.status?.conditions?.find(({ type }) => type === "Programmed")?.status;
};

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "turnpike-promises-"));
  streams = [];
  await resetCluster(cluster.client);
  await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
  node = await startNodeAgent(cluster.client, {
    stunnerd: [STUNNERD],
    "media-server": [process.execPath, fileURLToPath(new URL("media-server.ts", import.meta.url))],
  });
  await apply(dataplane(), ...world, ...media("media", 2));
  await startOurs();
}, 300_000);

afterEach(async () => {
  for (const stream of streams) stream.stop();
  await operator?.stop("test", 1000);
  operator = undefined;
  await resetCluster(cluster.client);
  await node.close();
  for (const folder of readdirSync(root)) replays(join(root, folder));
  rmSync(root, { recursive: true, force: true });
}, 300_000);

const replays = (journal: string): void => {
  expect(replay(readJournal(journal), digest).divergence).toBeUndefined();
  keepLog(journal);
};
/** The logs of all dataplanes that ran. */
const dataplanesReplay = (): void => {
  const journals = readdirSync(node.folder)
    .map((pod) => join(node.folder, pod, ".turnpike/dataplane"))
    .filter((journal) => existsSync(journal));
  expect(journals.length).toBeGreaterThan(0);
  for (const journal of journals) replays(journal);
};

describe("graceful shutdown of backends", { timeout: 300_000 }, () => {
  it("a deleted pod keeps its calls until it is gone, losing nothing; then they are cut, and nobody else's", async () => {
    const [relay] = await ready(DATAPLANE, 1);
    const [leaving, staying] = await ready(MEDIA, 2);
    await serves(leaving!, staying!);
    const leavingAt = address(leaving!);
    const calls = await Promise.all([call(relay!, leavingAt), call(relay!, leavingAt, "tcp")]);
    const others = await Promise.all([call(relay!, address(staying!)), call(relay!, address(staying!), "tcp")]);

    await deletePod(leaving!);
    await vi.waitFor(() => expect(node.outputOf(leaving!.metadata.name)).toContain("asked to end"), soon);
    // Its calls go on through two seconds of its grace, and it can still be asked for.
    await Promise.all(calls.map((one) => one.flows(100)));
    const late = await call(relay!, leavingAt);
    for (const one of [...calls, late]) {
      const { received } = one;
      expect(Math.max(...received) + 1 - received.size).toBe(0);
    }
    await vi.waitFor(async () => expect(await served()).not.toContain(`"${leavingAt}"`), soon);
    const { sent } = calls[0];
    await vi.waitFor(() => expect(calls[0].sent).toBeGreaterThan(sent + 10), soon);
    // Twenty milliseconds a packet: none beyond the next five came back.
    expect([...calls[0].received].filter((number) => number > sent + 5)).toEqual([]);
    await refused(relay!, leavingAt);

    const [, replacement] = await ready(MEDIA, 2);
    await serves(replacement!);
    await call(relay!, address(replacement!));
    expect(await Promise.all(others.map((one) => one.lost()))).toEqual([[], []]);
    dataplanesReplay();
  });
});

describe("a media Deployment", { timeout: 300_000 }, () => {
  it("that is scaled down lets the calls of the pods that go finish, and disturbs no other", async () => {
    const [relay] = await ready(DATAPLANE, 1);
    const pods = await ready(MEDIA, 2);
    await serves(...pods);
    const addresses = pods.map(address);
    const calls = await Promise.all(addresses.map((one) => call(relay!, one)));
    await cluster.client.patch({ ...DEPLOYMENT, metadata: meta("media") }, { spec: { replicas: 1 } });
    await vi.waitFor(() => expect(pods.some((pod) => node.outputOf(pod.metadata.name) !== "")).toBe(true), soon);
    const goes = pods.findIndex((pod) => node.outputOf(pod.metadata.name) !== "");
    await Promise.all(calls.map((one) => one.flows(50)));
    await vi.waitFor(async () => expect(await served()).not.toContain(`"${addresses[goes]!}"`), soon);
    await refused(relay!, addresses[goes]!);
    await calls[1 - goes]!.flows(20);
    expect(await calls[1 - goes]!.lost()).toEqual([]);
    // Scaled up, the new one is admitted.
    await cluster.client.patch({ ...DEPLOYMENT, metadata: meta("media") }, { spec: { replicas: 2 } });
    const now = await ready(MEDIA, 2);
    await serves(...now);
    await Promise.all(now.map((pod) => call(relay!, address(pod))));
  });

  it("that is rolled out moves new calls to new pods while old ones run on in theirs", async () => {
    const [relay] = await ready(DATAPLANE, 1);
    const before = await ready(MEDIA, 2);
    await serves(...before);
    const calls = await Promise.all(before.map((pod) => call(relay!, address(pod))));
    await apply(...media("media", 2, { annotations: { release: "two" } }));
    await vi.waitFor(() => {
      for (const pod of before) expect(node.outputOf(pod.metadata.name)).toContain("asked to end");
    }, soon);
    const after = await ready(MEDIA, 2);
    await serves(...after);
    const later = await Promise.all(after.map((pod) => call(relay!, address(pod))));
    for (const { received } of calls) expect(Math.max(...received) + 1 - received.size).toBe(0);
    await vi.waitFor(async () => expect(await labelled(MEDIA)).toHaveLength(2), soon);
    expect(await Promise.all(later.map((one) => one.lost()))).toEqual([[], []]);
  });
});

describe("the way in", { timeout: 300_000 }, () => {
  it("leads to routed pods and to no other", async () => {
    await apply(...media("other", 1));
    const [relay] = await ready(DATAPLANE, 1);
    const routed = await ready(MEDIA, 2);
    const [other] = await ready("app=other", 1);
    await serves(...routed);
    const stream = await call(relay!, address(routed[0]!));
    for (const peer of [address(other!), address(relay!), HOST_ADDRESS, "127.0.0.1", "169.254.169.254", "10.96.0.1"])
      await refused(relay!, peer);
    await stream.flows(10);
    expect(await stream.lost()).toEqual([]);
  });

  it("keeps the client's address where the Gateway asks for it", async () => {
    await apply(gateway({ "stunner.l7mp.io/external-traffic-policy": "local" }));
    await vi.waitFor(async () => {
      const service = await cluster.client.get<{ readonly spec: Readonly<Record<string, unknown>> }>({
        ...SERVICE,
        metadata: meta("gateway"),
      });
      expect(service.spec).toMatchObject({ externalTrafficPolicy: "Local", type: "LoadBalancer" });
    }, soon);
    const [relay] = await ready(DATAPLANE, 1);
    const client = await TurnClient.connect({ host: address(relay!), port: 3478, ...credentials });
    expect((await client.allocate()).mapped?.address).toBe(HOST_ADDRESS);
    client.close();
  });
});

describe("dataplanes", { timeout: 300_000 }, () => {
  it("are shaped by the Dataplane: secrets to pull with, spread, security", async () => {
    const asked = {
      imagePullSecrets: [{ name: "registry" }],
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "zone",
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector: { matchLabels: { app: "stunner" } },
        },
      ],
      securityContext: { runAsNonRoot: true, runAsUser: 1001 },
      containerSecurityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    };
    await apply(dataplane(asked));
    await vi.waitFor(async () => {
      const pods = await ready(DATAPLANE, 1);
      const { containerSecurityContext, ...ofPod } = asked;
      expect(pods[0]!.spec).toMatchObject({ ...ofPod, containers: [{ securityContext: containerSecurityContext }] });
    }, soon);
  });

  it("may be one's own: the managed one goes when its calls have, the Service and the config stay, and it comes back", async () => {
    const [managed] = await ready(DATAPLANE, 1);
    const pods = await ready(MEDIA, 2);
    await serves(...pods);
    const stream = await call(managed!, address(pods[0]!));
    await apply(gateway({ "stunner.l7mp.io/disable-managed-dataplane": "true" }));
    await vi.waitFor(async () => expect(await exists(DEPLOYMENT)).toBe(false), soon);
    // It drains: the call that is open goes on.
    await stream.flows(50);
    expect(await exists(SERVICE)).toBe(true);
    expect(await served()).toContain(`"${address(pods[0]!)}"`);
    expect(await stream.lost()).toEqual([]);
    await stream.client.refresh(0);
    await vi.waitFor(async () => expect(await labelled(DATAPLANE)).toHaveLength(0), soon);

    await apply({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...meta("own"), labels: { app: "own" } },
      spec: {
        containers: [
          {
            name: "stunnerd",
            image: "example.org/turnpike",
            command: ["stunnerd"],
            args: ["-w", "-c", `${HOST_ADDRESS}:${DISCOVERY}`, "--id", `${NAMESPACE}/gateway`],
            env: [{ name: "STUNNER_ADDR", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
            readinessProbe: { httpGet: { path: "/ready", port: 8086 } },
          },
        ],
      },
    });
    const [own] = await ready("app=own", 1);
    const ownCall = await call(own!, address(pods[1]!));
    // Its configuration is live.
    await apply(...media("media", 3));
    const more = await ready(MEDIA, 3);
    await Promise.all(more.map((pod) => call(own!, address(pod))));
    expect(await ownCall.lost()).toEqual([]);

    await apply(gateway());
    const [back] = await ready(DATAPLANE, 1);
    await call(back!, address(pods[0]!));
  });

  it("serve on without an operator, and one that comes back disturbs none of them", async () => {
    const [relay] = await ready(DATAPLANE, 1);
    const [pod] = await ready(MEDIA, 2);
    await serves(pod!);
    const stream = await call(relay!, address(pod!));
    await stopOurs();
    await stream.flows(50);
    const during = await call(relay!, address(pod!), "tcp");
    await startOurs();
    await serves(pod!);
    await Promise.all([stream.flows(50), during.flows(20)]);
    expect(await Promise.all([stream.lost(), during.lost()])).toEqual([[], []]);
    expect((await ready(DATAPLANE, 1))[0]!.metadata.uid).toBe(relay!.metadata.uid);
    dataplanesReplay();
  });
});

describe("an operator that is removed", { timeout: 300_000 }, () => {
  it("leaves nothing behind, says that its Gateways are gone, and ends no call", async () => {
    const theirs = { ...media("theirs", 0)[1]!, metadata: meta("theirs") };
    await apply(theirs);
    await stopOurs();
    await startOurs({ finalizer: true });
    const [relay] = await ready(DATAPLANE, 1);
    const [pod] = await ready(MEDIA, 2);
    await serves(pod!);
    await vi.waitFor(async () => expect(await programmed()).toBeDefined(), soon);
    const stream = await call(relay!, address(pod!));
    await stopOurs();
    expect(await exists(DEPLOYMENT)).toBe(false);
    expect(await exists(SERVICE)).toBe(false);
    expect(await exists({ ...SERVICE, name: "theirs" })).toBe(true);
    expect(await exists({ ...SERVICE, name: "media" })).toBe(true);
    expect(await programmed()).toBe("False");
    await stream.flows(50);
    expect(await stream.lost()).toEqual([]);
    await stream.client.refresh(0);
    await vi.waitFor(async () => expect(await labelled(DATAPLANE)).toHaveLength(0), soon);
  });
});

describe("an operator that relays itself", { timeout: 300_000 }, () => {
  const STANDBY_ADDRESS = "10.244.0.2";
  const selector = { "app.kubernetes.io/name": "turnpike" };
  const embedded = (relayAt: string, port: number): Partial<OperatorOptions> => ({
    render: operatorOptions({ embedded: { namespace: NAMESPACE, selector } }),
    relay: { address: relayAt },
    lease: { namespace: NAMESPACE, name: "turnpike", holder: relayAt },
    discovery: { host: "127.0.0.1", port },
  });
  /** A call through the operator's own relay to a media pod. */
  const callAt = async (relayAt: string, port: number, to: string): Promise<Stream> => {
    const stream = await vi.waitFor(
      () => startStream({ host: relayAt, port, ...credentials }, { address: to, port: MEDIA_PORT }),
      soon,
    );
    streams.push(stream);
    await stream.flows(5);
    return stream;
  };

  it("does so on every replica; only the leader writes, and a change of leader ends no call", async () => {
    addAddress(STANDBY_ADDRESS);
    await stopOurs();
    const leader = await startOurs(embedded(HOST_ADDRESS, DISCOVERY));
    await vi.waitFor(() => expect(leader.state).toBe("leading"), soon);
    const standby = await newOperator(embedded(STANDBY_ADDRESS, 0));
    try {
      await vi.waitFor(() => expect(standby.state).toBe("standby"), soon);
      // The managed dataplane of before goes; the Service leads to the operators' pods.
      await vi.waitFor(async () => expect(await exists(DEPLOYMENT)).toBe(false), soon);
      const service = await vi.waitFor(async () => {
        const found = await cluster.client.get<{
          readonly spec: {
            readonly selector: unknown;
            readonly ports: readonly { readonly name: string; readonly targetPort: number }[];
          };
        }>({ ...SERVICE, metadata: meta("gateway") });
        expect(found.spec.selector).toEqual(selector);
        return found;
      }, soon);
      const port = service.spec.ports.find(({ name }) => name === "udp")!.targetPort;

      const [leaving, staying] = await ready(MEDIA, 2);
      const stayingAt = address(staying!);
      const leavingAt = address(leaving!);
      const calls = await Promise.all([
        callAt(HOST_ADDRESS, port, stayingAt),
        callAt(STANDBY_ADDRESS, port, stayingAt),
      ]);
      const cut = await Promise.all([callAt(HOST_ADDRESS, port, leavingAt), callAt(STANDBY_ADDRESS, port, leavingAt)]);
      // Both consume the same transitions.
      await deletePod(leaving!);
      await vi.waitFor(() => {
        for (const { relay } of [leader, standby])
          expect(
            relay!.state().allocations.flatMap(({ permissions }) => permissions.map(({ peer }) => peer)),
          ).not.toContain(leavingAt);
      }, soon);
      for (const { client } of cut) client.close();

      const { GET: _, ...writes } = standby.requests;
      expect(writes["PATCH"] ?? 0).toBe(0);
      expect(writes["DELETE"] ?? 0).toBe(0);
      const stopping = stopOurs();
      await vi.waitFor(() => expect(standby.state).toBe("leading"), soon);
      await calls[1].flows(20);
      expect(await calls[1].lost()).toEqual([]);
      expect(standby.requests["DELETE"] ?? 0).toBe(0);
      await stopping;
    } finally {
      await standby.stop("test");
    }
  });

  it("waits for its calls before it ends", async () => {
    await stopOurs();
    const draining = await startOurs({ ...embedded(HOST_ADDRESS, DISCOVERY), drainMs: 60_000 });
    const [pod] = await ready(MEDIA, 2);
    const port = await vi.waitFor(() => {
      const listener = draining.relay!.state().listeners.find(({ name, at }) => name.endsWith("/udp") && at.length > 0);
      return Number(listener!.at[0]!.split(":").at(-1));
    }, soon);
    const stream = await callAt(HOST_ADDRESS, port, address(pod!));
    const stopping = stopOurs();
    await stream.flows(50);
    expect(await stream.lost()).toEqual([]);
    await stream.client.refresh(0);
    await stopping;
  });
});
