/** Other ways to run the dataplane, on two nodes: clients' own addresses, user-managed pods, host network, IPv6. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Literal } from "../cluster/client.ts";
import { run } from "../cluster/nodes/wire.ts";
import { turnpike } from "../support/commands.ts";
import { eventually } from "../support/eventually.ts";
import { useCalls } from "./calls.ts";
import { IMAGE } from "./image.ts";
import { mediaServers, meta, NAMESPACE, SYSTEM, useStage, type Pod } from "./stage.ts";
import { base, gatewayWith, routeTo } from "./world.ts";

const stage = useStage({ count: 2, proxyMode: "iptables" });
const calls = useCalls(stage, "calls through dataplanes of other shapes");

let media: Pod;

beforeAll(async () => {
  await stage.apply(...base, ...mediaServers("media", 1));
  [media] = (await stage.ready("app=media", 1)) as readonly [Pod];
});

/** As the guide has it: pods that the Gateway's Service selects, and that ask config discovery for its config. */
const daemonSet = (gateway: string, more: Readonly<Record<string, unknown>> = {}): Literal => {
  const labels = {
    app: "stunner",
    "stunner.l7mp.io/related-gateway-name": gateway,
    "stunner.l7mp.io/related-gateway-namespace": NAMESPACE,
  };
  const env = [
    ["STUNNER_NAME", { value: gateway }],
    ["STUNNER_NAMESPACE", { value: NAMESPACE }],
    ["STUNNER_CONFIG_ORIGIN", { value: `http://turnpike-discovery.${SYSTEM}.svc:13478` }],
    ["STUNNER_ADDR", { valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
    ["STUNNER_NODENAME", { valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }],
  ] as const;
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: meta(gateway),
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 60,
          securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: "RuntimeDefault" } },
          containers: [
            {
              name: "stunnerd",
              image: IMAGE,
              imagePullPolicy: "Never",
              command: ["stunnerd"],
              args: ["-w", "--udp-thread-num=1", "--journal=/tmp/turnpike"],
              env: env.map(([name, of]) => ({ name, ...of })),
              readinessProbe: { httpGet: { path: "/ready", port: 8086 }, periodSeconds: 1 },
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
            },
          ],
          ...more,
        },
      },
    },
  };
};

const selectorOf = (gateway: string): string => `stunner.l7mp.io/related-gateway-name=${gateway}`;
const exists = (reference: Literal): Promise<boolean> =>
  stage.cluster.client.get(reference).then(
    () => true,
    () => false,
  );
const managed = (gateway: string): Literal => ({ apiVersion: "apps/v1", kind: "Deployment", metadata: meta(gateway) });
const DAEMON_SET = { "stunner.l7mp.io/disable-managed-dataplane": "true" };
const LOCAL = { "stunner.l7mp.io/external-traffic-policy": "local" };
/** To how many nodes the load balancer leads packets from outside for `address`. */
const nextHopsTo = (address: string): number =>
  run(stage.nodes.outside.inside(["ip", "route", "show", address]))
    .split("\n")
    .filter((line) => line.includes(" via ")).length;
const outside = (): string => stage.nodes.outside.addresses.v4;

describe("external-traffic-policy: local", () => {
  it("shows the client's own address in a STUN answer, and holds calls", async () => {
    await stage.apply(gatewayWith("local", ["udp", "tcp"], LOCAL), routeTo("local", "media"));
    const { address } = await stage.addressed("local");
    await stage.ready(selectorOf("local"), 1);
    for (const transport of ["udp", "tcp"] as const) {
      const call = await calls.begin(
        `traffic policy local, ${transport}`,
        { host: address, port: 3478, transport },
        media.status.podIP,
      );
      const mapped = await stage.caller.mapped({ host: address, port: 3478, transport });
      expect(mapped).toMatch(new RegExp(`^${outside().replaceAll(".", "\\.")}:\\d+$`));
      await call.flows(200);
      await call.endsWhole();
    }
  });
});

describe("disable-managed-dataplane", () => {
  it("leaves the pods to a user-managed DaemonSet; without it, the managed Deployment is back", async () => {
    await stage.apply(gatewayWith("own", ["udp"]), routeTo("own", "media"));
    const { address } = await stage.addressed("own");
    await stage.ready(selectorOf("own"), 1);
    await stage.apply(gatewayWith("own", ["udp"], DAEMON_SET), daemonSet("own"));
    await eventually(async () => expect(await exists(managed("own"))).toBe(false), 100);
    const pods = await stage.ready(selectorOf("own"), 2);
    expect(new Set(pods.map(({ spec }) => spec.nodeName)).size).toBe(2);
    const through = { host: address, port: 3478 };
    const call = await calls.begin("user-managed DaemonSet", through, media.status.podIP);
    await call.flows(200);
    await stage.apply(gatewayWith("own", ["udp"]));
    await eventually(async () => expect(await exists(managed("own"))).toBe(true), 100);
    await stage.ready(selectorOf("own"), 3);
    await call.flows(100);
    await call.endsWhole();
    await stage.cluster.client.delete(daemonSet("own"));
  });

  it("lets a DaemonSet use the nodes' own network, with the client's own address", async () => {
    // Pods in their nodes' network are none that `restricted` lets in.
    const labels = { "pod-security.kubernetes.io/enforce": "privileged" };
    await stage.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, labels } });
    await stage.apply(
      gatewayWith("host", ["udp"], { ...DAEMON_SET, ...LOCAL }),
      routeTo("host", "media"),
      daemonSet("host", { hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" }),
    );
    const pods = await stage.ready(selectorOf("host"), 2);
    expect(pods.map(({ status }) => status.podIP).toSorted()).toEqual(
      stage.nodes.all.map(({ addresses }) => addresses.v4).toSorted(),
    );
    const { address } = await stage.addressed("host");
    // The load balancer of this cluster spreads flows anew when another node comes to the first.
    await eventually(() => expect(nextHopsTo(address)).toBe(2), 100);
    const { v4, v6 } = stage.nodes.outside.addresses;
    for (const [what, host, client] of [
      ["load balancer", address, v4],
      ["the node itself", pods[0]!.status.podIP, v4],
      ["the node itself over IPv6", pods[0]!.status.podIPs[1]!.ip, v6],
    ] as const) {
      const call = await calls.begin(`hostNetwork DaemonSet, ${what}`, { host, port: 3478 }, media.status.podIP);
      expect(await stage.caller.mapped({ host, port: 3478 })).toContain(`${client}:`);
      await call.flows(200);
      await call.endsWhole();
    }
  });
});

describe("dual stack", () => {
  it("a client over IPv4 has a call with a pod's IPv6 address", async () => {
    await stage.apply(gatewayWith("dual", ["udp"]), routeTo("dual", "media"));
    const { address } = await stage.addressed("dual");
    const [, v6] = media.status.podIPs;
    expect(v6?.ip).toContain(":");
    const call = await calls.begin("IPv6 between relay and pod", { host: address, port: 3478 }, v6!.ip);
    await call.flows(200);
    await call.endsWhole();
  });

  it("a client over IPv6 has a call, through a Gateway whose Service has both families by its annotation", async () => {
    const families = { "turnpike.dev/ip-family-policy": "RequireDualStack", "turnpike.dev/ip-families": "IPv6,IPv4" };
    await stage.apply(gatewayWith("six", ["udp"], families), routeTo("six", "media"));
    await stage.ready(selectorOf("six"), 1);
    const [host, other] = await eventually(async () => {
      const { service } = await stage.addressed("six");
      const addresses = service.status.loadBalancer.ingress?.map(({ ip }) => ip) ?? [];
      expect(addresses).toHaveLength(2);
      return addresses.toSorted((a, b) => Number(b.includes(":")) - Number(a.includes(":"))) as [string, string];
    }, 100);
    const { service } = await stage.addressed("six");
    expect(service.spec.clusterIP).toContain(":");
    // The Gateway has both in its status, and clients get a URI for each.
    await eventually(async () => {
      const status = await stage.kubectl(
        "get",
        "gateway",
        "six",
        "-n",
        NAMESPACE,
        "-o",
        "jsonpath={.status.addresses[*].value}",
      );
      expect(status.trim().split(" ").toSorted()).toEqual([host, other].toSorted());
      const { stdout } = await turnpike(["auth", `${NAMESPACE}/six`, "--kubeconfig", stage.cluster.kubeconfig]);
      const { iceServers } = JSON.parse(stdout) as {
        readonly iceServers: readonly { readonly urls: readonly string[] }[];
      };
      expect(iceServers[0]!.urls.toSorted()).toEqual(
        [`turn:[${host}]:3478?transport=udp`, `turn:${other}:3478?transport=udp`].toSorted(),
      );
    }, 100);
    const call = await calls.begin("IPv6 between client and relay", { host, port: 3478 }, media.status.podIP);
    // What the operator writes anew leaves the families as they are.
    await stage.apply(gatewayWith("six", ["udp", "tcp"], families));
    await eventually(async () => expect((await stage.addressed("six")).service.spec.ports).toHaveLength(2), 100);
    const overTcp = { host, port: 3478, transport: "tcp" } as const;
    const late = await calls.begin("IPv6 between client and relay, TCP", overTcp, media.status.podIP);
    await call.flows(200);
    await late.flows(200);
    await call.endsWhole();
    await late.endsWhole();
  });
});
