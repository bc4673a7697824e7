/** Channels, and the frames of both directions: what comes in, and what user space would send on. */
import { wordsOfBytes } from "../../src/net/address.ts";
import type { End, FlowMap, Hop } from "../../src/dataplane/offload/flow-map.ts";
import { randomFrom as fractionsFrom } from "../support/malformed.ts";
import { makeFrame, type Frame } from "./frame.ts";

export const OWNER = 7;

/** Whole numbers from 0, below what is asked for. */
export type Random = (below: number) => number;

export const randomFrom = (seed: number): ((below: number) => number) => {
  const fraction = fractionsFrom(seed);
  return (below) => Math.floor(fraction() * below);
};

type Address = Uint8Array;
export interface Channel {
  readonly number: number;
  readonly client: Address;
  readonly server: Address;
  readonly relayed: Address;
  readonly peer: Address;
  readonly ports: { readonly client: number; readonly server: number; readonly relayed: number; readonly peer: number };
}

const end = (address: Address, port: number): End => ({ ...wordsOfBytes(address), port });
export const ipv4 = (last: number): Address => Uint8Array.from([10, 1, 2, last]);
export const ipv6 = (last: number): Address => Uint8Array.from([0xfd, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, last]);

export const channelOf = (number: number, clientSide: typeof ipv4, peerSide: typeof ipv4): Channel => ({
  number: 0x4000 + number,
  client: clientSide(number % 250),
  server: clientSide(251),
  relayed: peerSide(252),
  peer: peerSide(number % 250),
  ports: { client: 40_000 + number, server: 3478, relayed: 50_000 + number, peer: 9000 },
});

export const hopsOf = ({ number, client, server, relayed, peer, ports }: Channel) => {
  const hop = (from: Address, fromPort: number, to: Address, toPort: number, channel: number): Hop => ({
    source: end(from, fromPort),
    target: end(to, toPort),
    channel,
  });
  return {
    fromClient: hop(client, ports.client, server, ports.server, number),
    toPeer: hop(relayed, ports.relayed, peer, ports.peer, 0),
    fromPeer: hop(peer, ports.peer, relayed, ports.relayed, 0),
    toClient: hop(server, ports.server, client, ports.client, number),
  };
};

export const install = (flows: FlowMap, channel: Channel, id: number, index: number): void => {
  const { fromClient, toPeer, fromPeer, toClient } = hopsOf(channel);
  const common = { interface: index, owner: OWNER };
  flows.insert({ from: fromClient, to: toPeer, isIpv6: channel.peer.length === 16, id: 2 * id, ...common });
  flows.insert({ from: fromPeer, to: toClient, isIpv6: channel.client.length === 16, id: 2 * id + 1, ...common });
};
export const withdraw = (flows: FlowMap, channel: Channel): void => {
  const { fromClient, fromPeer } = hopsOf(channel);
  flows.remove(fromClient);
  flows.remove(fromPeer);
};

export const channelData = (number: number, data: Uint8Array, length = data.length): Buffer =>
  Buffer.concat([Buffer.from([number >>> 8, number & 255, length >>> 8, length & 255]), data]);

const dontFragment = 0x4000;
/** What user space sends on: the datagram anew, one hop further. */
export const onward = (
  frame: Frame,
  next: Pick<Frame, "source" | "target" | "sourcePort" | "targetPort" | "payload">,
): Buffer =>
  makeFrame({
    ...next,
    trafficClass: frame.trafficClass ?? 0,
    hopLimit: (frame.hopLimit ?? 64) - 1,
    ...(frame.source.length === 4 ? { id: frame.id ?? 0, flags: frame.flags ?? dontFragment } : {}),
  });

export const fromClient = ({ client, server, ports }: Channel, payload: Uint8Array): Frame => ({
  source: client,
  target: server,
  sourcePort: ports.client,
  targetPort: ports.server,
  payload,
});
export const fromPeer = ({ peer, relayed, ports }: Channel, payload: Uint8Array): Frame => ({
  source: peer,
  target: relayed,
  sourcePort: ports.peer,
  targetPort: ports.relayed,
  payload,
});
export const toPeer = ({ relayed, peer, ports }: Channel, payload: Uint8Array) => ({
  source: relayed,
  target: peer,
  sourcePort: ports.relayed,
  targetPort: ports.peer,
  payload,
});
export const toClient = ({ server, client, ports }: Channel, payload: Uint8Array) => ({
  source: server,
  target: client,
  sourcePort: ports.server,
  targetPort: ports.client,
  payload,
});

export const families = [
  ["IPv4 to IPv4", ipv4, ipv4],
  ["IPv6 to IPv6", ipv6, ipv6],
  ["IPv4 to IPv6", ipv4, ipv6],
  ["IPv6 to IPv4", ipv6, ipv4],
] as const;

const dataPool = (random: Random): ((count: number) => Buffer) => {
  const pool = Buffer.from(Array.from({ length: 4096 }, () => random(256)));
  return (count) => {
    const at = random(pool.length - count);
    return pool.subarray(at, at + count);
  };
};

export interface RandomFrame {
  readonly frame: Frame;
  readonly sent: Buffer;
  /** What user space would send on; nothing: it is user space's. */
  readonly expected: Buffer | undefined;
}

/** Frames of `channels`, one in four of them for user space. */
export const randomFrames = (random: Random, channels: readonly Channel[]): (() => RandomFrame) => {
  const bytesOf = dataPool(random);
  return () => {
    const channel = channels[random(channels.length)]!;
    const data = bytesOf(random(4) === 0 ? random(1400) : random(200));
    const isUp = random(2) === 0;
    const padding = isUp && random(8) === 0 ? random(4) : 0;
    const wrongLength = isUp && random(16) === 0 ? 1 + random(600) : 0;
    const frame: Frame = {
      ...(isUp
        ? fromClient(
            channel,
            channelData(
              channel.number + (random(16) === 0 ? 1000 : 0),
              padding > 0 ? Buffer.concat([data, bytesOf(padding)]) : data,
              data.length + padding + wrongLength - (wrongLength > 0 ? 0 : padding),
            ),
          )
        : fromPeer(channel, data)),
      trafficClass: random(256),
      hopLimit: random(16) === 0 ? random(3) : 64,
      id: random(65_536),
      flags: random(16) === 0 ? random(65_536) : random(2) * dontFragment,
      checksum: random(32) === 0 ? "none" : "right",
      ...(random(16) === 0 ? { trailer: bytesOf(1 + random(20)) } : {}),
    };
    const isIpv4 = frame.source.length === 4;
    const isWhole = !isIpv4 || (frame.flags! & 0x3fff) === 0;
    const isKnown = !isUp || Buffer.from(frame.payload).readUInt16BE(0) === channel.number;
    const mayGo = isWhole && isKnown && wrongLength === 0 && frame.hopLimit! > 1 && frame.checksum !== "none";
    const expected = mayGo
      ? onward(frame, isUp ? toPeer(channel, data) : toClient(channel, channelData(channel.number, data)))
      : undefined;
    return { frame, sent: makeFrame(frame), expected };
  };
};

/** Channels of all families, installed. */
export const installMany = (flows: FlowMap, first: number, count: number, index: number): readonly Channel[] =>
  Array.from({ length: count }, (_, n) => {
    const [, clientSide, peerSide] = families[n % families.length]!;
    const channel = channelOf(first + n, clientSide, peerSide);
    install(flows, channel, first + n, index);
    return channel;
  });
