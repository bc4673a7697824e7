/** A client over UDP. Without a rate, packets that come back are sent again in place, once a whole burst has arrived. */
import { wireAddressOf, type TransportAddress } from "../net/address.ts";
import type { Datagrams, DatagramSocket } from "../dataplane/engines/index.ts";
import { TurnClient } from "../turn-client/turn-client.ts";
import {
  messageOf,
  microseconds,
  prepare,
  refresh,
  type ClientOptions,
  type Counters,
  type LoadClient,
} from "./client.ts";
import { BATCH, BUFFER_BYTES } from "./peers.ts";

const DATA_INDICATION = 0x17;

/** ChannelData or a Data indication; everything else is an answer to a request. */
const isMedia = (bytes: Buffer, start: number): boolean =>
  (bytes[start] ?? 0) >= 0x40 || (bytes[start] === 0 && bytes[start + 1] === DATA_INDICATION);

export const startUdpClient = async (
  datagrams: Datagrams,
  options: ClientOptions,
  peer: TransportAddress,
  counters: Counters,
): Promise<LoadClient> => {
  const { server, via, rate, address, payloadBytes, burst, gso } = options;
  const to = wireAddressOf(server);
  const toPeer = wireAddressOf(peer);
  const { bytes: arena } = datagrams;
  const message = messageOf(options, peer);
  let control: ((bytes: Buffer) => void) | undefined;
  /** Packets of the next burst that have come back. */
  let returned = 0;
  let received = 0;
  let isDirect = false;

  const take = (slot: number, start: number, end: number): void => {
    if (isDirect) return counters.latencies.add(microseconds() - arena.readDoubleLE(start));
    if (!isMedia(arena, start)) {
      const bytes = Buffer.from(arena.subarray(start, end));
      return datagrams.handUp(() => control?.(bytes));
    }
    // In a Data indication the payload is the last attribute.
    const payloadAt = via === "channel" ? start + message.payloadAt : end - ((payloadBytes + 3) & ~3);
    const now = microseconds();
    received++;
    counters.received++;
    counters.latencies.add(now - arena.readDoubleLE(payloadAt));
    if (rate > 0 || ++returned < burst) return undefined;
    returned = 0;
    counters.sent += burst;
    if (via === "channel") {
      arena.writeDoubleLE(now, payloadAt);
      for (let count = 0; count < burst; count++) datagrams.send(socket, arena, start, end, to);
      return undefined;
    }
    const from = datagrams.arena.dataOf(slot);
    message.bytes.copy(arena, from);
    arena.writeDoubleLE(now, from + message.payloadAt);
    for (let count = 0; count < burst; count++) datagrams.send(socket, arena, from, from + message.bytes.length, to);
    return undefined;
  };
  const socket: DatagramSocket = datagrams.open(
    { address, port: 0 },
    { bufferBytes: BUFFER_BYTES, batch: BATCH, runs: gso, owner: { take } },
  );

  const client = await TurnClient.connect({
    ...options,
    host: server.address,
    port: server.port,
    transport: (receiver) => {
      control = (bytes) => receiver.message(bytes);
      return {
        isReliable: false,
        local: { address, port: datagrams.portOf(socket) },
        send: (bytes) => datagrams.send(socket, bytes, 0, bytes.length, to),
        close: () => datagrams.closeSocket(socket),
      };
    },
  });
  await prepare(client, options, peer);
  return {
    send(count) {
      returned = 0;
      counters.sent += count;
      message.bytes.writeDoubleLE(microseconds(), message.payloadAt);
      for (let sent = 0; sent < count; sent++) datagrams.send(socket, message.bytes, 0, message.bytes.length, to);
    },
    received: () => received,
    sendDirect() {
      isDirect = true;
      message.bytes.writeDoubleLE(microseconds(), message.payloadAt);
      datagrams.send(socket, message.bytes, message.payloadAt, message.payloadAt + payloadBytes, toPeer);
    },
    endDirect: () => {
      isDirect = false;
    },
    refresh: () => refresh(client, options, peer),
    release: () => client.refresh(0).then(() => undefined),
    close: () => client.close(),
  };
};
