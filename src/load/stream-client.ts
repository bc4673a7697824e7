/**
 * A client over TCP or TLS. Without a rate, it answers the messages that come back, which have one size, with as many new
 * ones.
 */
import type { TransportAddress } from "../net/address.ts";
import { Framer } from "../stun/framing.ts";
import { TurnClient } from "../turn-client/turn-client.ts";
import { openTcpSocket, openTlsSocket } from "../turn-client/transport.ts";
import { messageOf, microseconds, prepare, type ClientOptions, type Counters, type LoadClient } from "./client.ts";

export const startStreamClient = async (
  options: ClientOptions,
  peer: TransportAddress,
  counters: Counters,
): Promise<LoadClient> => {
  const { server, rate, burst, transport, verification } = options;
  const message = messageOf(options, peer);
  const frameBytes = message.bytes.length;
  const socket =
    transport === "tls"
      ? await openTlsSocket(server.address, server.port, verification)
      : await openTcpSocket(server.address, server.port);
  let framer: Framer | undefined;
  /** Bytes received of the incomplete message. */
  let begun = 0;
  /** Messages that have come back since the last burst. */
  let returned = 0;

  const write = (count: number): void => {
    counters.sent += count;
    message.bytes.writeDoubleLE(microseconds(), message.payloadAt);
    // The socket keeps the buffer until it is written.
    socket.write(Buffer.concat(Array.from({ length: count }, () => message.bytes)));
  };
  const count = (chunk: Buffer): void => {
    const now = microseconds();
    // Of the messages in a chunk, those with a complete time.
    for (let at = begun === 0 ? 0 : frameBytes - begun; at + 12 <= chunk.length; at += frameBytes)
      counters.latencies.add(now - chunk.readDoubleLE(at + message.payloadAt));
    const bytes = begun + chunk.length;
    const whole = Math.floor(bytes / frameBytes);
    begun = bytes % frameBytes;
    counters.received += whole;
    if (rate > 0) return;
    returned += whole;
    const due = returned - (returned % burst);
    returned -= due;
    if (due > 0) write(due);
  };
  socket.on("data", (chunk: Buffer) => {
    if (framer === undefined) count(chunk);
    else framer.push(chunk);
  });

  const client = await TurnClient.connect({
    ...options,
    host: server.address,
    port: server.port,
    transport: (receiver) => {
      framer = new Framer(
        (frame) => {
          receiver.message(frame);
          return !socket.destroyed;
        },
        () => 0x1_0000 + 20,
      );
      socket.on("error", (error) => receiver.closed(error.message));
      socket.on("close", () => receiver.closed("the server closed the connection"));
      return {
        isReliable: true,
        local: { address: socket.localAddress ?? "", port: socket.localPort ?? 0 },
        send: (bytes) => void socket.write(bytes),
        close: () => socket.destroy(),
      };
    },
  });
  await prepare(client, options, peer);
  framer = undefined;
  return { send: write, close: () => client.close() };
};
