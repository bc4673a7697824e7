/** Calls from outside to media servers in pods, as a user installs it: each transport, by load balancer and by node port. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TransportName } from "../../src/turn-client/turn-client.ts";
import { literal } from "../cluster/world.ts";
import { makeCertificate } from "../support/certificate.ts";
import { eventually } from "../support/eventually.ts";
import { gateway, gatewayClass, gatewayConfig, udpRoute, withMetadata } from "../support/manifests.ts";
import { MEDIA_PORT, mediaServers, meta, NAMESPACE, useStage, type Pod, type ServiceObject } from "./stage.ts";

const stage = useStage();
const credentials = { username: "user-1", password: "pass-1" };
const certificate = makeCertificate();
const verification = { ca: certificate.certificate, serverName: "localhost" };
const transports: readonly TransportName[] = ["udp", "tcp", "tls", "dtls"];
const protocolOf = { udp: "TURN-UDP", tcp: "TURN-TCP", tls: "TURN-TLS", dtls: "TURN-DTLS" } as const;
const portOf = { udp: 3478, tcp: 3478, tls: 5349, dtls: 5349 } as const;
/** Listeners that one Service may have together: UDP beside TCP waits for `enable-mixed-protocol-lb`. */
const annotations = { "stunner.l7mp.io/enable-mixed-protocol-lb": "true" };

let address: string;
let service: ServiceObject;
let pods: readonly Pod[];
const rows: string[] = [];

beforeAll(async () => {
  const certificateRefs = [{ kind: "Secret", name: "certificate" }];
  const listeners = transports.map((name) => ({
    name,
    port: portOf[name],
    protocol: protocolOf[name],
    ...(name === "tls" || name === "dtls" ? { tls: { mode: "Terminate", certificateRefs } } : {}),
  }));
  await stage.apply(
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: meta("certificate"),
      type: "kubernetes.io/tls",
      data: { "tls.crt": certificate.cert64, "tls.key": certificate.key64 },
    },
    literal(gatewayClass("media", `${NAMESPACE}/config`)),
    literal(
      gatewayConfig(`${NAMESPACE}/config`, {
        authType: "static",
        userName: credentials.username,
        password: credentials.password,
      }),
    ),
    literal(withMetadata(gateway(`${NAMESPACE}/gateway`, "media", listeners), { annotations })),
    literal(udpRoute(`${NAMESPACE}/route`, [{ name: "gateway" }], [{ name: "media", namespace: NAMESPACE }])),
    ...mediaServers("media", 2),
    ...mediaServers("unrouted", 1),
  );
  pods = await stage.ready("app=media", 2);
  ({ address, service } = await stage.addressed("gateway"));
  await stage.ready("app=stunner", 1);
});
afterAll(() => console.log(["from outside to pods, packets sent and lost:", ...rows].join("\n")));

const nodePort = (name: string): number => service.spec.ports.find((port) => port.name === name)!.nodePort;

/** A call of 200 packets. */
const holds = async (
  what: string,
  transport: TransportName,
  host: string,
  port: number,
  peer: string,
): Promise<void> => {
  const options = { host, port, transport, ...credentials, ...verification, packetsPerSecond: 100 } as const;
  // The endpoint is on its way to the dataplane.
  const call = await eventually(() => stage.caller.call(options, { address: peer, port: MEDIA_PORT }), 200);
  await stage.caller.flows(call, 200);
  const { sent, lost } = await stage.caller.end(call);
  rows.push(`${what}: ${sent} sent, ${lost.length} lost`);
  expect(lost).toEqual([]);
};

describe.each(transports)("over %s", (transport) => {
  it("holds a call through the load balancer", () =>
    holds(`${transport}, load balancer`, transport, address, portOf[transport], pods[0]!.status.podIP));
  it("holds a call through a node port", () =>
    holds(
      `${transport}, node port`,
      transport,
      stage.nodes.all[0]!.addresses.v4,
      nodePort(transport),
      pods[1]!.status.podIP,
    ));
});

it("refuses a pod that no route names, and says so with 403", async () => {
  const [other] = await stage.ready("app=unrouted", 1);
  const options = { host: address, port: 3478, transport: "udp", ...credentials } as const;
  const peer = { address: other!.status.podIP, port: MEDIA_PORT };
  expect(await stage.caller.refusal(options, peer)).toBe(403);
  expect(await stage.caller.refusal(options, { ...peer, address: pods[0]!.status.podIP })).toBeUndefined();
});
