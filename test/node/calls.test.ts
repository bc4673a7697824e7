/** Calls from outside to media servers in pods, as a user installs it: each transport, by load balancer and by node port. */
import { beforeAll, describe, expect, it } from "vitest";
import type { TransportName } from "../../src/turn-client/turn-client.ts";
import { useCalls } from "./calls.ts";
import { mediaServers, useStage, type Pod, type ServiceObject } from "./stage.ts";
import { base, gatewayWith, portOf, routeTo } from "./world.ts";

const stage = useStage();
const calls = useCalls(stage, "calls from outside to pods");
const transports: readonly TransportName[] = ["udp", "tcp", "tls", "dtls"];

let address: string;
let service: ServiceObject;
let pods: readonly Pod[];

beforeAll(async () => {
  await stage.apply(
    ...base,
    gatewayWith("gateway", transports),
    routeTo("gateway", "media"),
    ...mediaServers("media", 2),
    ...mediaServers("unrouted", 1),
  );
  pods = await stage.ready("app=media", 2);
  ({ address, service } = await stage.addressed("gateway"));
  await stage.ready("app=stunner", 1);
});

describe.each(transports)("over %s", (transport) => {
  it.each(["load balancer", "node port"])("a call through the %s loses nothing", async (way) => {
    const through =
      way === "load balancer"
        ? { host: address, port: portOf[transport], transport }
        : {
            host: stage.nodes.all[0]!.addresses.v4,
            port: service.spec.ports.find(({ name }) => name === transport)!.nodePort,
            transport,
          };
    const call = await calls.begin(`${transport}, ${way}`, through, pods[0]!.status.podIP);
    await call.flows(200);
    await call.endsWhole();
  });
});

it("a pod that no route names is refused with 403", async () => {
  const [other] = await stage.ready("app=unrouted", 1);
  const through = { host: address, port: 3478 };
  expect(await calls.refusal(through, other!.status.podIP)).toBe(403);
  expect(await calls.refusal(through, pods[0]!.status.podIP)).toBeUndefined();
});

it("nobody outside reaches a pod, a Service or the API server past the Gateway", async () => {
  const [dataplane] = await stage.ready("app=stunner", 1);
  const api = new URL(stage.cluster.url);
  expect(await stage.caller.opens(address, portOf.tcp)).toBe(true);
  expect(await stage.caller.opens(dataplane!.status.podIP, portOf.tcp)).toBe(false);
  expect(await stage.caller.opens(service.spec.clusterIP, portOf.tcp)).toBe(false);
  expect(await stage.caller.opens(api.hostname, Number(api.port))).toBe(false);
});
