/** What a busy gateway writes down: media servers that come and go, calls that begin and end. Nothing is left to chance. */
import type { Fact, Happening } from "../../src/journal/fact.ts";
import type { Name } from "../../src/resources/keys.ts";
import { gateway, gatewayClass, gatewayConfig, route, service, slice } from "./objects.ts";
import { seen } from "./given.ts";

export interface World {
  readonly gateways: number;
  readonly endpointsPerGateway: number;
}

const nameOfGateway = (n: number): Name => `ns/gateway-${n}` as Name;

const addressOf = (n: number, index: number, generation: number): string =>
  `10.${((n >> 8) & 127) + 128 * (generation & 1)}.${n & 255}.${index + 1}`;

/** Endpoint `churned` of gateway `n` is a new pod with every second `step`. */
export const sliceOf = ({ endpointsPerGateway }: World, n: number, step: number): Fact =>
  seen(
    "EndpointSlice",
    slice(
      `media-${n}-1`,
      `media-${n}`,
      Array.from({ length: endpointsPerGateway }, (_, i) =>
        addressOf(n, i, i === step % endpointsPerGateway ? step : 0),
      ),
    ),
  );

/** All that is there at the start. */
export const listed = (world: World): readonly Fact[] => [
  seen("GatewayClass", gatewayClass),
  seen("GatewayConfig", gatewayConfig()),
  ...Array.from({ length: world.gateways }, (_, n) => [
    seen("Gateway", gateway(`gateway-${n}`, [{ name: "udp", port: 10_000 + n, protocol: "TURN-UDP" }])),
    seen("UDPRoute", route(`route-${n}`, [`gateway-${n}`], [`media-${n}`])),
    seen("Service", service(`media-${n}`)),
    sliceOf(world, n, 0),
  ]).flat(),
  { type: "objects.synced", data: { objects: 2 + 4 * world.gateways } },
];

const allocation = (n: number, id: number) => ({
  gateway: nameOfGateway(n),
  listener: `${nameOfGateway(n)}/udp`,
  id,
  user: `user-${id % 500}`,
  client: `203.0.${id % 113}.${id % 251}:${20_000 + (id % 30_000)}`,
  relayed: `192.0.2.1:${32_768 + (id % 30_000)}`,
});

const opened = (n: number, id: number): Fact => ({ type: "allocation.opened", data: allocation(n, id) });

const closed = (n: number, id: number): Fact => ({
  type: "allocation.closed",
  data: {
    ...allocation(n, id),
    reason: "the client gave it up",
    bytesIn: 1_234_567 + id,
    bytesOut: 2_345_678 + id,
    packetsIn: 7654 + id,
    packetsOut: 8765 + id,
  },
});

const published = (n: number): Fact => ({
  type: "gateway.published",
  data: { gateway: nameOfGateway(n), admitted: 1, drained: 0, revoked: 1 },
});

const revoked = (n: number, step: number): Fact => ({
  type: "endpoint.revoked",
  data: {
    gateway: nameOfGateway(n),
    cluster: `ns/route-${n}`,
    endpoint: addressOf(n, step % 10, step),
    permissions: 1,
    channels: 1,
  },
});

/**
 * What one turn of the event loop has to write down: eight calls begin and eight end, a pod is replaced, and what the
 * relay made of the one replaced before.
 */
export const turnOf = (world: World, turn: number): readonly Fact[] => {
  const n = (turn * 37) % world.gateways;
  const step = Math.floor(turn / world.gateways) + 1;
  const calls = Array.from({ length: 8 }, (_, i) => turn * 8 + i);
  return [
    ...calls.map((id) => opened(n, id)),
    sliceOf(world, n, step),
    published(n),
    revoked(n, step),
    ...calls.map((id) => closed(n, id)),
  ];
};

export const happenings = (facts: readonly Fact[]): readonly Happening[] =>
  facts.map((fact) => ({ fact, source: "bench", cause: null }));
