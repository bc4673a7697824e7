/** What users are promised, end to end, on the media stage. */
import { describe, expect, it } from "vitest";
import { operatorOptions } from "../../src/runtime/options.ts";
import type { OperatorOptions } from "../../src/runtime/operator.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { addAddress, HOST_ADDRESS } from "../support/network.ts";
import { DISCOVERY, useMediaStage } from "./media-stage.ts";
import { credentials, DATAPLANE, dataplane, gateway, MEDIA, media, meta, NAMESPACE } from "./media-world.ts";
import { eventually } from "../support/eventually.ts";

const stage = useMediaStage();
const { address, apply, call, callAt, dataplanesReplay, deletePod, exists, labelled, newOperator } = stage;
const { programmed, ready, refused, served, serves, startOurs, stopOurs } = stage;

const DEPLOYMENT = { apiVersion: "apps/v1", kind: "Deployment", name: "gateway" };
const SERVICE = { apiVersion: "v1", kind: "Service", name: "gateway" };

describe("graceful shutdown of backends", () => {
  it("a deleted pod keeps its calls until it is gone, losing nothing; then they are cut, and nobody else's", async () => {
    const [relay] = await ready(DATAPLANE, 1);
    const [leaving, staying] = await ready(MEDIA, 2);
    await serves(leaving!, staying!);
    const leavingAt = address(leaving!);
    const calls = await Promise.all([call(relay!, leavingAt), call(relay!, leavingAt, "tcp")]);
    const others = await Promise.all([call(relay!, address(staying!)), call(relay!, address(staying!), "tcp")]);

    await deletePod(leaving!);
    await eventually(() => expect(stage.node.outputOf(leaving!.metadata.name)).toContain("asked to end"));
    // Its calls go on through two seconds of its grace, and it can still be asked for.
    await Promise.all(calls.map((one) => one.flows(100)));
    const late = await call(relay!, leavingAt);
    for (const one of [...calls, late]) {
      const { received } = one;
      expect(Math.max(...received) + 1 - received.size).toBe(0);
    }
    await eventually(async () => expect(await served()).not.toContain(`"${leavingAt}"`));
    const { sent } = calls[0];
    await eventually(() => expect(calls[0].sent).toBeGreaterThan(sent + 10));
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

describe("a managed dataplane", () => {
  it("that is scaled in loses the pod without calls, not the youngest, and no packet", async () => {
    await stopOurs();
    await startOurs({ deletionCosts: { everyMs: 50 } });
    const [older] = await ready(DATAPLANE, 1);
    const [backend] = await ready(MEDIA, 2);
    const deployment = { ...DEPLOYMENT, metadata: meta("gateway") };
    await stage.cluster.client.patch(deployment, { spec: { replicas: 2 } });
    const younger = (await ready(DATAPLANE, 2)).find(({ metadata }) => metadata.name !== older!.metadata.name);
    const busy = await call(younger!, address(backend!));
    const costOf = async (): Promise<string | undefined> => {
      const pods = (await labelled(DATAPLANE)) as readonly {
        readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
      }[];
      const pod = pods.find(({ metadata }) => metadata.name === younger!.metadata.name);
      return pod?.metadata.annotations?.["controller.kubernetes.io/pod-deletion-cost"];
    };
    await eventually(async () => expect(await costOf()).toBe("1"));
    await stage.cluster.client.patch(deployment, { spec: { replicas: 1 } });
    const [left] = await ready(DATAPLANE, 1);
    expect(left!.metadata.name).toBe(younger!.metadata.name);
    expect(await busy.lost()).toEqual([]);
  });
});

describe("a media Deployment", () => {
  it("that is scaled down lets the calls of the pods that go finish, and disturbs no other", async () => {
    const [relay] = await ready(DATAPLANE, 1);
    const pods = await ready(MEDIA, 2);
    await serves(...pods);
    const addresses = pods.map(address);
    const calls = await Promise.all(addresses.map((one) => call(relay!, one)));
    await stage.cluster.client.patch({ ...DEPLOYMENT, metadata: meta("media") }, { spec: { replicas: 1 } });
    await eventually(() => expect(pods.some((pod) => stage.node.outputOf(pod.metadata.name) !== "")).toBe(true));
    const goes = pods.findIndex((pod) => stage.node.outputOf(pod.metadata.name) !== "");
    await Promise.all(calls.map((one) => one.flows(50)));
    await eventually(async () => expect(await served()).not.toContain(`"${addresses[goes]!}"`));
    await refused(relay!, addresses[goes]!);
    await calls[1 - goes]!.flows(20);
    expect(await calls[1 - goes]!.lost()).toEqual([]);
    // Scaled up, the new one is admitted.
    await stage.cluster.client.patch({ ...DEPLOYMENT, metadata: meta("media") }, { spec: { replicas: 2 } });
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
    await eventually(() => {
      for (const pod of before) expect(stage.node.outputOf(pod.metadata.name)).toContain("asked to end");
    });
    const after = await ready(MEDIA, 2);
    await serves(...after);
    const later = await Promise.all(after.map((pod) => call(relay!, address(pod))));
    for (const { received } of calls) expect(Math.max(...received) + 1 - received.size).toBe(0);
    await eventually(async () => expect(await labelled(MEDIA)).toHaveLength(2));
    expect(await Promise.all(later.map((one) => one.lost()))).toEqual([[], []]);
  });
});

describe("the way in", () => {
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
    await eventually(async () => {
      const service = await stage.cluster.client.get<{ readonly spec: Readonly<Record<string, unknown>> }>({
        ...SERVICE,
        metadata: meta("gateway"),
      });
      expect(service.spec).toMatchObject({ externalTrafficPolicy: "Local", type: "LoadBalancer" });
    });
    const [relay] = await ready(DATAPLANE, 1);
    const client = await TurnClient.connect({ host: address(relay!), port: 3478, ...credentials });
    expect((await client.allocate()).mapped?.address).toBe(HOST_ADDRESS);
    client.close();
  });
});

describe("dataplanes", () => {
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
    await eventually(async () => {
      const pods = await ready(DATAPLANE, 1);
      const { containerSecurityContext, ...ofPod } = asked;
      expect(pods[0]!.spec).toMatchObject({ ...ofPod, containers: [{ securityContext: containerSecurityContext }] });
    });
  });

  it("may be user-managed: the managed one ends after its calls, Service and config stay, and it can come back", async () => {
    const [managed] = await ready(DATAPLANE, 1);
    const pods = await ready(MEDIA, 2);
    await serves(...pods);
    const stream = await call(managed!, address(pods[0]!));
    await apply(gateway({ "stunner.l7mp.io/disable-managed-dataplane": "true" }));
    await eventually(async () => expect(await exists(DEPLOYMENT)).toBe(false));
    // It drains: the call that is open goes on.
    await stream.flows(50);
    expect(await exists(SERVICE)).toBe(true);
    expect(await served()).toContain(`"${address(pods[0]!)}"`);
    expect(await stream.lost()).toEqual([]);
    await stream.client.refresh(0);
    await eventually(async () => expect(await labelled(DATAPLANE)).toHaveLength(0));

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

  it("serve on without an operator, and are not disturbed when it comes back", async () => {
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

describe("an operator that is removed", () => {
  it("leaves nothing behind, says that its Gateways are gone, and ends no call", async () => {
    const theirs = { ...media("theirs", 0)[1]!, metadata: meta("theirs") };
    await apply(theirs);
    await stopOurs();
    await startOurs({ finalizer: true });
    const [relay] = await ready(DATAPLANE, 1);
    const [pod] = await ready(MEDIA, 2);
    await serves(pod!);
    await eventually(async () => expect(await programmed()).toBeDefined());
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
    await eventually(async () => expect(await labelled(DATAPLANE)).toHaveLength(0));
  });
});

describe("an operator that relays itself", () => {
  const STANDBY_ADDRESS = "10.244.0.2";
  const selector = { "app.kubernetes.io/name": "turnpike" };
  const embedded = (relayAt: string, port: number): Partial<OperatorOptions> => ({
    render: operatorOptions({ embedded: { namespace: NAMESPACE, selector } }),
    relay: { address: relayAt },
    lease: { namespace: NAMESPACE, name: "turnpike", holder: relayAt },
    discovery: { host: "127.0.0.1", port },
  });
  it("does so on every replica; only the leader writes, and a change of leader ends no call", async () => {
    addAddress(STANDBY_ADDRESS);
    await stopOurs();
    const leader = await startOurs(embedded(HOST_ADDRESS, DISCOVERY));
    await eventually(() => expect(leader.state).toBe("leading"));
    const standby = await newOperator(embedded(STANDBY_ADDRESS, 0));
    try {
      await eventually(() => expect(standby.state).toBe("standby"));
      // The managed dataplane of before goes; the Service leads to the operators' pods.
      await eventually(async () => expect(await exists(DEPLOYMENT)).toBe(false));
      const service = await eventually(async () => {
        const found = await stage.cluster.client.get<{
          readonly spec: {
            readonly selector: unknown;
            readonly ports: readonly { readonly name: string; readonly targetPort: number }[];
          };
        }>({ ...SERVICE, metadata: meta("gateway") });
        expect(found.spec.selector).toEqual(selector);
        return found;
      });
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
      await eventually(() => {
        for (const { relay } of [leader, standby])
          expect(
            relay!.state().allocations.flatMap(({ permissions }) => permissions.map(({ peer }) => peer)),
          ).not.toContain(leavingAt);
      });
      for (const { client } of cut) client.close();

      const { GET: _, ...writes } = standby.requests;
      expect(writes["PATCH"] ?? 0).toBe(0);
      expect(writes["DELETE"] ?? 0).toBe(0);
      const stopping = stopOurs();
      await eventually(() => expect(standby.state).toBe("leading"));
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
    const port = await eventually(() => {
      const listener = draining.relay!.state().listeners.find(({ name, at }) => name.endsWith("/udp") && at.length > 0);
      return Number(listener!.at[0]!.split(":").at(-1));
    });
    const stream = await callAt(HOST_ADDRESS, port, address(pod!));
    const stopping = stopOurs();
    await stream.flows(50);
    expect(await stream.lost()).toEqual([]);
    await stream.client.refresh(0);
    await stopping;
  });
});
