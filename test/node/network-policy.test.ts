/**
 * The NetworkPolicy of a Gateway's dataplane, on a node that enforces it: a process in the dataplane's pod, which is not bound
 * to what the relay admits, reaches the same as clients of the relay. Beside it is the dataplane of a Gateway without policy.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { literal } from "../cluster/world.ts";
import { eventually } from "../support/eventually.ts";
import { udpRoute } from "../support/manifests.ts";
import { useCalls, type Through } from "./calls.ts";
import { IN_POD } from "./in-pod.ts";
import { MEDIA_PORT, mediaServers, NAMESPACE, SYSTEM, useStage, type Pod } from "./stage.ts";
import { base, gatewayWith } from "./world.ts";

const stage = useStage({ count: 2, enforcesPolicies: true });
const calls = useCalls(stage, "calls with NetworkPolicies that are enforced");

const POLICY = { "turnpike.dev/network-policy": "enabled" };
const DISCOVERY = `turnpike-discovery.${SYSTEM}.svc`;

let media: Pod;
let other: Pod;
let through: Through;

/** Clients may reach one port of the Service's pods. */
const portOf = (gateway: string, service: string) =>
  literal(
    udpRoute(
      `${NAMESPACE}/${gateway}`,
      [{ name: gateway }],
      [{ name: service, namespace: NAMESPACE, port: MEDIA_PORT, endPort: MEDIA_PORT }],
    ),
  );

const dataplaneOf = async (gateway: string): Promise<Pod> => {
  const [pod] = await stage.ready(`stunner.l7mp.io/related-gateway-name=${gateway}`, 1);
  return pod!;
};
/** Runs a script of Node in the pod of a Gateway's dataplane. */
const inDataplane = async (gateway: string, script: string): Promise<unknown> => {
  const { metadata } = await dataplaneOf(gateway);
  return JSON.parse(await stage.kubectl("exec", "--namespace", NAMESPACE, metadata.name, "--", "node", "-e", script));
};

/** The address of a node other than that of a pod: a pod's own node is always open to it. */
const otherNode = ({ spec }: Pod): string => stage.nodes.all.find(({ name }) => name !== spec.nodeName)!.addresses.v4;

/** What no route names: protocol, host, port, and what comes of it where no policy applies. */
const unrouted = (from: Pod) =>
  [
    ["another port of a routed pod", "udp", media.status.podIP, MEDIA_PORT + 2, "closed"],
    ["another protocol of a routed pod", "tcp", media.status.podIP, MEDIA_PORT + 1, "answer"],
    ["a pod that is not routed", "udp", other.status.podIP, MEDIA_PORT, "answer"],
    ["that pod's IPv6 address", "udp", other.status.podIPs[1]!.ip, MEDIA_PORT, "answer"],
    ["the API server", "tcp", "10.96.0.1", 443, "answer"],
    ["a node", "tcp", otherNode(from), 10_256, "answer"],
    ["an address outside the cluster", "udp", stage.nodes.wire.addresses.v4, MEDIA_PORT, "closed"],
  ] as const;

beforeAll(async () => {
  await stage.apply(
    ...base,
    ...mediaServers("media", 1),
    ...mediaServers("other", 1),
    gatewayWith("policed", ["udp"], POLICY),
    gatewayWith("open", ["udp"]),
    portOf("policed", "media"),
    portOf("open", "media"),
  );
  [media] = (await stage.ready("app=media", 1)) as readonly [Pod];
  [other] = (await stage.ready("app=other", 1)) as readonly [Pod];
  through = { host: (await stage.addressed("policed")).address, port: 3478 };
});

describe("a NetworkPolicy from routes", () => {
  it("leaves a dataplane that starts its config, and clients their calls, in both families", async () => {
    const before = await dataplaneOf("policed");
    await stage.cluster.client.delete({ apiVersion: "v1", kind: "Pod", metadata: before.metadata });
    await eventually(async () => {
      const now = await dataplaneOf("policed");
      expect(now.metadata.name).not.toBe(before.metadata.name);
    }, 100);
    for (const { ip } of media.status.podIPs) {
      const call = await calls.begin(`a routed pod, ${ip.includes(":") ? "IPv6" : "IPv4"}`, through, ip);
      await call.flows(200);
      await call.endsWhole();
    }
  });

  it("leaves names and config discovery", async () => {
    expect(await inDataplane("policed", IN_POD.resolve(DISCOVERY))).toEqual([expect.any(String)]);
    expect(await inDataplane("policed", IN_POD.attempt("tcp", DISCOVERY, 13_478))).toBe("answer");
  });

  it("stops all else, from inside of the pod too; without one, the same passes", async () => {
    for (const { ip } of media.status.podIPs)
      expect(await inDataplane("policed", IN_POD.attempt("udp", ip, MEDIA_PORT))).toBe("answer");
    for (const [what, protocol, host, port, unpoliced] of unrouted(await dataplaneOf("policed"))) {
      const script = IN_POD.attempt(protocol, host, port);
      expect(await inDataplane("policed", script), what).toBe("silence");
      expect(await inDataplane("open", script), `${what}, without policy`).toBe(unpoliced);
    }
  });

  it("follows a route: its new backend is open, the one that it had is not", async () => {
    const attempt = ({ status }: Pod) => inDataplane("policed", IN_POD.attempt("udp", status.podIP, MEDIA_PORT));
    await stage.apply(portOf("policed", "other"));
    await eventually(
      async () => expect([await attempt(other), await attempt(media)]).toEqual(["answer", "silence"]),
      100,
    );
    const call = await calls.begin("the pod that is routed now", through, other.status.podIP);
    await call.flows(200);
    await call.endsWhole();
    expect(await calls.refusal(through, media.status.podIP)).toBe(403);
  });

  it("goes with its annotation", async () => {
    const attempt = () => inDataplane("policed", IN_POD.attempt("udp", media.status.podIP, MEDIA_PORT));
    expect(await attempt()).toBe("silence");
    await stage.apply(gatewayWith("policed", ["udp"]));
    await eventually(async () => expect(await attempt()).toBe("answer"), 100);
  });
});
