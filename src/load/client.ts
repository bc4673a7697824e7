/** A client of a load test: a packet to send again and again, and a count of what came back. */
import { randomBytes } from "node:crypto";
import type { TransportAddress } from "../net/address.ts";
import { attribute } from "../stun/attributes.ts";
import { encode } from "../turn-client/codec.ts";
import { method } from "../stun/message.ts";
import type { TurnClient } from "../turn-client/turn-client.ts";
import type { Latencies } from "./latencies.ts";
import type { LoadOptions } from "./options.ts";

/** The shared counters of all clients. */
export interface Counters {
  sent: number;
  received: number;
  /** Round trips, in microseconds. */
  readonly latencies: Latencies;
}

export interface LoadClient {
  /** Sends packets back to back. */
  send(count: number): void;
  /** Number of packets that have come back to it; absent for streams, which lose none. */
  received?(): number;
  /** Sends a packet to the peer without the server, and counts answers as its echo until `endDirect`. Only UDP has it. */
  sendDirect?(): void;
  endDirect?(): void;
  /** Refreshes its allocation and its permission or channel, which the server drops after five minutes. */
  refresh?(): Promise<void>;
  /** Deletes the allocation; a stream does so by closing. */
  release?(): Promise<void>;
  close(): void;
}

const CHANNEL = 0x4000;

/** The payload begins with its send time: a double, 8 bytes. */
export const microseconds = (): number => performance.now() * 1000;

/** A client's whole message for one packet, and where in it the payload begins. */
export const messageOf = (
  { payloadBytes, via, transport }: LoadOptions,
  peer: TransportAddress,
): { readonly bytes: Buffer; readonly payloadAt: number } => {
  const payload = randomBytes(payloadBytes);
  if (via === "channel") {
    const header = Buffer.from([CHANNEL >> 8, CHANNEL & 255, payloadBytes >> 8, payloadBytes & 255]);
    const padding = Buffer.alloc(transport === "udp" ? 0 : -payloadBytes & 3);
    return { bytes: Buffer.concat([header, payload, padding]), payloadAt: header.length };
  }
  const bytes = encode({
    method: method.send,
    class: "indication",
    transactionId: randomBytes(12),
    attributes: [
      { type: attribute.xorPeerAddress, address: peer },
      { type: attribute.data, value: payload },
    ],
  });
  return { bytes, payloadAt: bytes.indexOf(payload) };
};

const openWay = (client: TurnClient, { via }: LoadOptions, peer: TransportAddress): Promise<void> =>
  via === "channel" ? client.channelBind(CHANNEL, peer) : client.createPermission(peer.address);

/** What the clients of a load get. */
export interface ClientOptions extends LoadOptions {
  /** Aborted when the load fails: clients do not wait for the answers to their first requests any longer. */
  readonly ending: AbortSignal;
}

/** Allocates, and creates a channel or permission for `peer`. If that fails, the client is closed. */
export const prepare = async (client: TurnClient, options: ClientOptions, peer: TransportAddress): Promise<void> => {
  const { ending } = options;
  const close = (): void => client.close();
  ending.addEventListener("abort", close);
  try {
    ending.throwIfAborted();
    await client.allocate();
    await openWay(client, options, peer);
  } catch (error) {
    close();
    throw error;
  } finally {
    ending.removeEventListener("abort", close);
  }
};

/** Refreshes what `prepare` made. */
export const refresh = async (client: TurnClient, options: LoadOptions, peer: TransportAddress): Promise<void> => {
  await client.refresh();
  await openWay(client, options, peer);
};
