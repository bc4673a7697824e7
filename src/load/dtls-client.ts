/** A client over DTLS. Without a rate, it sends a new burst when a whole burst has come back. */
import type { TransportAddress } from "../net/address.ts";
import { openDtls, type Receiver } from "../turn-client/transport.ts";
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

export const startDtlsClient = async (
  options: ClientOptions,
  peer: TransportAddress,
  counters: Counters,
): Promise<LoadClient> => {
  const { server, rate, burst, verification } = options;
  const message = messageOf(options, peer);
  let control: Receiver | undefined;
  let returned = 0;
  let received = 0;
  const transport = await openDtls(
    server.address,
    server.port,
    {
      message(bytes) {
        const first = bytes[0] ?? 0;
        if (first < 0x40 && bytes[1] !== 0x17) return control?.message(bytes);
        const now = microseconds();
        received++;
        counters.received++;
        counters.latencies.add(now - bytes.readDoubleLE(bytes.length - ((options.payloadBytes + 3) & ~3)));
        if (rate > 0 || ++returned < burst) return undefined;
        return send(burst);
      },
      closed: (reason) => control?.closed(reason),
    },
    verification,
  );
  const send = (count: number): void => {
    returned = 0;
    counters.sent += count;
    message.bytes.writeDoubleLE(microseconds(), message.payloadAt);
    for (let sent = 0; sent < count; sent++) transport.send(message.bytes);
  };
  const client = await TurnClient.connect({
    ...options,
    host: server.address,
    port: server.port,
    transport: (receiver) => {
      control = receiver;
      return transport;
    },
  });
  await prepare(client, options, peer);
  return {
    send,
    received: () => received,
    refresh: () => refresh(client, options, peer),
    release: () => client.refresh(0).then(() => undefined),
    close: () => client.close(),
  };
};
