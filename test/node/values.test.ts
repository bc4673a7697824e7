/** What values of the chart promise, on a node: credentials over HTTP, a NetworkPolicy, limits of memory, nothing to write to. */
import { beforeAll, describe, expect, it } from "vitest";
import type { LabelSelector } from "../../src/resources/gateway-api.ts";
import { selectorMatches } from "../../src/render/label-selector.ts";
import type { Credentials } from "../../src/turn-client/credentials.ts";
import { literal } from "../cluster/world.ts";
import { eventually } from "../support/eventually.ts";
import { gatewayConfig } from "../support/manifests.ts";
import { useCalls, type Through } from "./calls.ts";
import { IN_POD } from "./in-pod.ts";
import { mediaServers, NAMESPACE, SYSTEM, useStage, type Pod } from "./stage.ts";
import { base, gatewayWith, routeTo } from "./world.ts";

const MEMORY_MIB = 256;
const values = [
  "authService.enabled=true",
  "authService.service.type=LoadBalancer",
  "networkPolicy.enabled=true",
  `dataplane.spec.resources.limits.memory=${MEMORY_MIB}Mi`,
];
const stage = useStage(
  { count: 1 },
  values.flatMap((value) => ["--set", value]),
);
const calls = useCalls(stage, "calls with values of the chart");

const OPERATOR = "app.kubernetes.io/component=operator";
const AUTH = "app.kubernetes.io/component=auth";
const DATAPLANE = "app=stunner";

/** What the authentication service answers for a client that is named `user`. */
interface IceConfig {
  readonly iceServers: readonly {
    readonly username: string;
    readonly credential: string;
    readonly urls: readonly string[];
  }[];
}

let media: Pod;
let gateway: Through;
let auth: string;

/** Asks the authentication service from outside. */
const ask = async (ttlSeconds: number): Promise<{ readonly as: Credentials; readonly url: string }> => {
  const { status, body } = await stage.caller.get(`${auth}/ice?service=turn&username=alice&ttl=${ttlSeconds}`);
  expect(status, body).toBe(200);
  const [server] = (JSON.parse(body) as IceConfig).iceServers;
  return { as: { username: server!.username, password: server!.credential }, url: server!.urls[0]! };
};

/** Runs a script of Node in a pod. */
const runIn = async (namespace: string, pod: Pod, script: string): Promise<unknown> =>
  JSON.parse(await stage.kubectl("exec", "--namespace", namespace, pod.metadata.name, "--", "node", "-e", script));

beforeAll(async () => {
  await stage.apply(
    ...base,
    literal(gatewayConfig(`${NAMESPACE}/config`, { authType: "ephemeral", sharedSecret: "shared-secret" })),
    gatewayWith("gateway", ["udp"]),
    routeTo("gateway", "media"),
    ...mediaServers("media", 1),
  );
  [media] = (await stage.ready("app=media", 1)) as readonly [Pod];
  const { address } = await stage.addressed("gateway");
  gateway = { host: address, port: 3478 };
  await stage.ready(DATAPLANE, 1);
  auth = `http://${(await stage.addressed("turnpike-auth", SYSTEM)).address}:8088`;
  await eventually(async () => expect((await ask(60)).url).toBe(`turn:${address}:3478?transport=udp`), 100);
});

describe("the authentication service", () => {
  it("gives a client outside credentials that it has a call with", async () => {
    const { as } = await ask(600);
    expect(as.username).toMatch(/^\d+:alice$/);
    const call = await calls.begin(
      "credentials from the authentication service",
      { ...gateway, as },
      media.status.podIP,
    );
    await call.flows(200);
    await call.endsWhole();
  });

  it.each([
    ["have expired", -60, (as: Credentials) => as],
    ["have a wrong password", 600, (as: Credentials) => ({ ...as, password: `${as.password}=` })],
    [
      "have a later expiry than was given",
      600,
      ({ username, password }: Credentials) => ({ username: `9${username}`, password }),
    ],
  ])("credentials that %s are refused with 401", async (_, ttlSeconds, altered) => {
    const { as } = await ask(ttlSeconds);
    expect(await calls.refusal({ ...gateway, as: altered(as) }, media.status.podIP)).toBe(401);
  });
});

// Nothing enforces NetworkPolicies on this node: what it selects is compared with the pods that run.
it("the NetworkPolicy is about the operator, and lets dataplanes and the authentication service ask for configs", async () => {
  interface Policy {
    readonly spec: {
      readonly podSelector: LabelSelector;
      readonly ingress: readonly {
        readonly ports: readonly { readonly port: string }[];
        readonly from?: readonly { readonly namespaceSelector?: LabelSelector; readonly podSelector: LabelSelector }[];
      }[];
    };
  }
  const { spec } = await stage.cluster.client.get<Policy>({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "turnpike", namespace: SYSTEM },
  });
  const [operator, authd, dataplane] = await Promise.all([
    stage.ready(OPERATOR, 1, SYSTEM),
    stage.ready(AUTH, 1, SYSTEM),
    stage.ready(DATAPLANE, 1),
  ]);
  const labelled = await stage.cluster.client.list<Pod>({ apiVersion: "v1", kind: "Pod" });
  const selected = (inNamespaces: readonly string[] | undefined, selector: LabelSelector): readonly string[] =>
    labelled
      .filter(({ metadata }) => inNamespaces?.includes(metadata.namespace) ?? true)
      .filter(({ metadata }) => selectorMatches(selector, metadata.labels ?? {}))
      .map(({ metadata }) => metadata.name)
      .toSorted();
  const named = (...pods: readonly (readonly Pod[])[]): readonly string[] =>
    pods
      .flat()
      .map(({ metadata }) => metadata.name)
      .toSorted();

  expect(selected([SYSTEM], spec.podSelector)).toEqual(named(operator));
  const [configs] = spec.ingress.filter(({ ports }) => ports.some(({ port }) => port === "cds"));
  const askers = (configs?.from ?? []).flatMap(({ namespaceSelector, podSelector }) => {
    expect(namespaceSelector ?? {}).toEqual({});
    return selected(namespaceSelector === undefined ? [SYSTEM] : undefined, podSelector);
  });
  expect(askers.toSorted()).toEqual(named(authd, dataplane));
});

describe("pods with a read-only file system", () => {
  it.each([
    ["operator", SYSTEM, OPERATOR, "/var/lib/turnpike"],
    ["dataplane", NAMESPACE, DATAPLANE, "/tmp"],
  ])("the %s is not root, and writes to its own folder only", async (_, namespace, selector, own) => {
    const [pod] = await stage.ready(selector, 1, namespace);
    expect(await runIn(namespace, pod!, IN_POD.writes("/x", "/home/nonroot/x", `${own}/x`))).toEqual({
      user: 65_532,
      writes: { "/x": "EROFS", "/home/nonroot/x": "EROFS", [`${own}/x`]: "written" },
    });
    const { containers, volumes = [] } = pod!.spec;
    const mount = containers[0]!.volumeMounts?.find(({ mountPath }) => mountPath === own);
    const volume = volumes.find(({ name }) => name === mount?.name);
    expect(volume).toMatchObject({ emptyDir: {} });
  });
});

describe("the limit of a dataplane's memory", () => {
  it("is that of its container, and a container that exceeds it is killed, restarted, and serves calls again", async () => {
    const [before] = await stage.ready(DATAPLANE, 1);
    expect(await runIn(NAMESPACE, before!, IN_POD.memoryLimit)).toBe(MEMORY_MIB * 2 ** 20);
    const { as } = await ask(600);
    const early = await calls.begin("before memory ran out", { ...gateway, as }, media.status.podIP);
    await early.flows(100);
    await early.endsWhole();

    // Its end is that of the container.
    await expect(runIn(NAMESPACE, before!, IN_POD.allocateUntilKilled)).rejects.toThrow("Command failed");
    await eventually(async () => {
      const [now] = await stage.ready(DATAPLANE, 1);
      expect(now!.metadata.name).toBe(before!.metadata.name);
      expect(now!.status.containerStatuses).toMatchObject([
        { restartCount: 1, lastState: { terminated: { reason: "OOMKilled" } } },
      ]);
    }, 100);
    const call = await calls.begin("after memory ran out", { ...gateway, as }, media.status.podIP);
    await call.flows(200);
    await call.endsWhole();
    const exec = ["exec", "--namespace", NAMESPACE, before!.metadata.name, "--", "turnpike"];
    const starts = await stage.kubectl(...exec, "log", "/tmp/turnpike", "--type", "operator.started");
    expect(starts.trim().split("\n"), "the log goes on where it was").toHaveLength(2);
  });
});
