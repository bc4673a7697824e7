/** What a relay says of itself: numbers, and a list of its allocations for whoever needs each of them. */
import { wallTimeOf } from "../clock.ts";
import { formatAddress } from "../net/address.ts";
import type { ActiveListener } from "./active-listener.ts";
import type { Allocation } from "./allocation.ts";
import type { Channel } from "./flows.ts";
import type { Gateway } from "./gateway.ts";
import type { Offload } from "./offload/offload.ts";
import type { RelayContext } from "./relay-context.ts";
import type { AllocationState, ChannelState, OpenCounts, RelaySummary } from "./relay.ts";
import { Tally } from "./tally.ts";

interface Tenant {
  readonly gateway: Gateway;
  readonly listeners: ReadonlyMap<string, ActiveListener>;
}

const peerProtocolOf = ({ protocol }: Allocation): "tcp" | "udp" => (protocol === "TCP" ? "tcp" : "udp");
const connectionsOf = ({ connections }: Allocation): number => connections?.established.length ?? 0;

const countsOf = (allocations: Iterable<Allocation>): OpenCounts => {
  const byTransports = new Tally<string>();
  let [connections, kernel, userSpace] = [0, 0, 0];
  for (const allocation of allocations) {
    byTransports.add(`${allocation.path.protocol} ${peerProtocolOf(allocation)}`);
    connections += connectionsOf(allocation);
    const { offload } = allocation.scope;
    for (const channel of allocation.channels.values())
      if (offload?.counted(channel) === undefined) userSpace += 1;
      else kernel += 1;
  }
  return { allocations: byTransports.toJSON(), connections, channels: { kernel, userSpace } };
};

export const summaryOf = (
  { allocations, refused, denied, drops, dropped, ports, control }: RelayContext,
  all: Iterable<Tenant>,
): Omit<RelaySummary, "offload"> => {
  const tenants = [...all];
  const ofGateway = Map.groupBy(allocations.values(), ({ scope }) => scope.gateway);
  const used = Object.entries(drops).filter(([, count]) => count > 0);
  return {
    open: countsOf(allocations.values()),
    waiting: control.waiting,
    listeners: tenants.flatMap(({ listeners }) => Array.from(listeners.values(), (listener) => listener.state())),
    clusters: tenants.flatMap(({ gateway }) =>
      [...gateway.clusterTraffic(ofGateway.get(gateway) ?? [])].map(([name, traffic]) => ({
        gateway: gateway.name,
        name,
        ...traffic,
      })),
    ),
    refused: refused.toJSON(),
    denied: denied.toJSON(),
    opened: allocations.opened.toJSON(),
    closed: allocations.closed.toJSON(),
    moved: allocations.moved.toJSON(),
    dropped: { ...dropped.toJSON(), ...Object.fromEntries(used) },
    ...(ports.use === undefined ? {} : { relayPorts: ports.use }),
  };
};

const wayOf = (offload: Offload | undefined, channel: Channel): Pick<ChannelState, "way" | "because" | "forwarded"> => {
  if (offload === undefined) return {};
  const counted = offload.counted(channel);
  if (counted !== undefined) {
    const { packets: packetsIn, bytes: bytesIn } = counted.in;
    const { packets: packetsOut, bytes: bytesOut } = counted.out;
    const seenAt = Math.max(counted.in.seenAt, counted.out.seenAt);
    const lastSeen = seenAt > 0 ? { lastSeen: wallTimeOf(seenAt) } : {};
    return { way: "kernel", forwarded: { packetsIn, bytesIn, packetsOut, bytesOut, ...lastSeen } };
  }
  const because = offload.userSpaceReasonOf(channel);
  return { way: "user space", ...(because === undefined ? {} : { because }) };
};

export const allocationState = (allocation: Allocation): AllocationState => {
  const { scope, id, owner, path, relays, openedAt, expiresAt, permissions, channels, flow, next, moves } = allocation;
  return {
    id,
    gateway: scope.gateway.name,
    listener: scope.name,
    user: owner.userId,
    protocol: path.protocol,
    peerProtocol: peerProtocolOf(allocation),
    connections: connectionsOf(allocation),
    client: formatAddress(path.client.address, path.client.port),
    server: formatAddress(path.server.address, path.server.port),
    relayed: relays.map(({ address, port }) => formatAddress(address, port)).join(", "),
    openedAt: wallTimeOf(openedAt),
    expiresAt: wallTimeOf(expiresAt),
    permissions: [...permissions.values()].map((permission) => ({
      peer: permission.peer.text,
      expiresAt: wallTimeOf(permission.expiresAt),
    })),
    channels: [...channels.values()].map((channel) => ({
      number: channel.number,
      peer: formatAddress(channel.flow.address, channel.flow.port),
      expiresAt: wallTimeOf(channel.expiresAt),
      ...wayOf(scope.offload, channel),
    })),
    ...flow.traffic,
    moves,
    ...(next !== undefined && { movingTo: formatAddress(next.path.client.address, next.path.client.port) }),
  };
};
