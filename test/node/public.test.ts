/**
 * A public TURN server: a dataplane on every node, in its network. Clients receive the external address of the node that
 * they reach; its ports are a range that a firewall would let through. No interface has the external addresses: they are
 * translated outside of the nodes, one to one.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../support/eventually.ts";
import {
  dataplane,
  gateway,
  gatewayClass,
  gatewayConfig,
  staticService,
  udpRoute,
  withMetadata,
} from "../support/manifests.ts";
import { literal } from "../cluster/world.ts";
import type { RealNode } from "../cluster/nodes/node.ts";
import { useCalls, type Call } from "./calls.ts";
import { IMAGE } from "./image.ts";
import { MEDIA_PORT, mediaServers, NAMESPACE, useStage, type Pod } from "./stage.ts";
import { base, credentials, routeTo } from "./world.ts";

const PORTS = { first: 40_000, last: 40_003 };
const stage = useStage({ count: 2, hasExternal: "translated" });
const calls = useCalls(stage, "calls through public TURN servers");

let media: Pod;

const DATAPLANE = dataplane(
  {
    image: IMAGE,
    imagePullPolicy: "Never",
    dataplaneResource: "DaemonSet",
    hostNetwork: true,
    enableMetricsEndpoint: true,
    terminationGracePeriodSeconds: 60,
    // With none, Kubernetes ends it at the 20 MB that STUNner's dataplanes have.
    resources: { limits: { memory: "512Mi" }, requests: { cpu: "50m", memory: "128Mi" } },
    args: ["-w", "--udp-thread-num=2", `--relay-ports=${PORTS.first}-${PORTS.last}`, "--deny-private-peers"],
  },
  "public",
);

const PUBLIC = withMetadata(
  gateway(`${NAMESPACE}/public`, "public", [{ name: "udp", port: 3478, protocol: "TURN-UDP" }]),
  {
    annotations: {
      "stunner.l7mp.io/enable-relay-address-discovery": "true",
      "stunner.l7mp.io/external-traffic-policy": "local",
    },
  },
);

beforeAll(async () => {
  await stage.apply(...base, ...mediaServers("media", 1));
  [media] = (await stage.ready("app=media", 1)) as readonly [Pod];
  // Pods in their nodes' network are none that `restricted` lets in.
  const labels = { "pod-security.kubernetes.io/enforce": "privileged" };
  await stage.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, labels } });
  await stage.apply(
    literal(DATAPLANE),
    literal(
      gatewayConfig(`${NAMESPACE}/public`, {
        authType: "static",
        userName: credentials.username,
        password: credentials.password,
        dataplane: "public",
      }),
    ),
    literal(gatewayClass("public", `${NAMESPACE}/public`)),
    literal(PUBLIC),
    routeTo("public", "media"),
    literal(staticService(`${NAMESPACE}/everywhere`, ["0.0.0.0/0", stage.nodes.outside.addresses.v6])),
    literal(
      udpRoute(
        `${NAMESPACE}/everywhere`,
        [{ name: "public" }],
        [{ group: "stunner.l7mp.io", kind: "StaticService", name: "everywhere", namespace: NAMESPACE }],
      ),
    ),
  );
  await stage.ready("stunner.l7mp.io/related-gateway-name=public", 2);
});

const through = ({ external }: RealNode) => ({ host: external!.v4, port: 3478 });
const fill = async (node: RealNode, from = 0): Promise<readonly Call[]> => {
  const opened: Call[] = [];
  for (let port = PORTS.first + from; port <= PORTS.last; port++)
    opened.push(await calls.begin(`${node.name}, ${port - PORTS.first + 1} of 4`, through(node), media.status.podIP));
  return opened;
};
const ECHO = `
const socket = require("node:dgram").createSocket("udp6");
socket.on("message", (message, { address, port }) => {
  console.log(address);
  socket.send(message, port, address);
});
socket.bind(${MEDIA_PORT}, () => console.log("ready"));
`;

/** A peer outside, which sends back what it receives. @returns the addresses that it has heard from. */
const echoOutside = async (): Promise<ReadonlySet<string>> => {
  const [program = "", ...args] = stage.nodes.outside.inside([process.execPath, "-e", ECHO]);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const seen = new Set<string>();
  onTestFinished(async () => {
    child.kill();
    await once(child, "exit");
  });
  const lines = createInterface({ input: child.stdout });
  await once(lines, "line");
  lines.on("line", (address) => seen.add(address));
  return seen;
};
/** Packets that the relay of a node dropped, because their sender had no permission. */
const uninvitedAt = async ({ addresses }: RealNode): Promise<number> => {
  const text = await (await fetch(`http://${addresses.v4}:8080/metrics`)).text();
  return Number(/^turnpike_packets_dropped_total\{reason="no-permission"\} (\d+)$/m.exec(text)?.[1] ?? 0);
};

describe("a public TURN server on two nodes", () => {
  it("gives relayed addresses of the node that the client reaches", async () => {
    for (const node of stage.nodes.all) {
      const call = await calls.begin(`${node.name}, its own address`, through(node), media.status.podIP);
      expect(call.relay).toBe(node.external!.v4);
      await call.flows(100);
      await call.endsWhole();
    }
  });

  it("gives relayed addresses of both families, each that of the node", async () => {
    const [, ipv6] = media.status.podIPs;
    for (const node of stage.nodes.all) {
      const call = await calls.begin(`${node.name}, its own IPv6 address`, through(node), ipv6!.ip);
      expect(call.relay).toBe(node.external!.v6);
      await call.flows(100);
      await call.endsWhole();
    }
  });

  it.each(["v4", "v6"] as const)("relays to peers outside and back at the public address: %s", async (family) => {
    const [node] = stage.nodes.all as readonly [RealNode];
    const seen = await echoOutside();
    const peer = stage.nodes.outside.addresses[family];
    const call = await calls.begin(`a peer outside, ${family}`, through(node), peer);
    expect(call.relay).toBe(node.external![family]);
    await call.flows(100);
    await call.endsWhole();
    expect([...seen]).toEqual([family === "v4" ? `::ffff:${call.relay}` : call.relay]);
  });

  it("relays at the ports of the range alone, refuses who comes when all are in use, and recovers", async () => {
    const [node, other] = stage.nodes.all as readonly [RealNode, RealNode];
    const [first, ...rest] = await fill(node);
    expect(await calls.refusal(through(node), media.status.podIP)).toBe(508);
    // The other node has ports of its own.
    const elsewhere = await calls.begin("the other node meanwhile", through(other), media.status.podIP);
    await first!.endsWhole();
    const [again] = await fill(node, PORTS.last - PORTS.first);
    for (const call of [...rest, again!, elsewhere]) {
      await call.flows(50);
      await call.endsWhole();
    }
  });

  it("lets a scan from outside reach nothing, while peers do", async () => {
    const [node] = stage.nodes.all as readonly [RealNode];
    const open = await fill(node);
    const before = await uninvitedAt(node);
    const { answer, closed } = await stage.caller.scan(node.external!.v4, PORTS.first - 20, PORTS.last + 20);
    expect(answer).toEqual([]);
    // Some others: the kernel tells of a few closed ports at a time.
    expect(closed.filter((port) => port >= PORTS.first && port <= PORTS.last)).toEqual([]);
    expect(closed.length).toBeGreaterThan(0);
    await eventually(async () => expect(await uninvitedAt(node)).toBe(before + open.length));
    for (const call of open) {
      await call.flows(50);
      await call.endsWhole();
    }
  });

  it("opens everything with 0.0.0.0/0, but no private address that no route names", async () => {
    const [node] = stage.nodes.all as readonly [RealNode];
    expect(await calls.refusal(through(node), stage.nodes.outside.addresses.v4)).toBeUndefined();
    expect(await calls.refusal(through(node), media.status.podIP)).toBeUndefined();
    expect(await calls.refusal(through(node), "10.96.0.1")).toBe(403);
  });
});
