/** A UDP peer, through a channel of an allocation. */
import type { TransportAddress } from "../net/address.ts";
import { KeptAllocation } from "./allocation.ts";
import type { TunnelOptions } from "./tunnel.ts";

export interface UdpPath {
  readonly relayed: TransportAddress | undefined;
  send(data: Buffer): void;
  close(): Promise<void>;
}

export interface UdpPathEnd {
  /** Receives the peer's data. */
  data(bytes: Buffer): void;
  /** Called once, unless this side closes it. */
  lost(reason: string): void;
}

const CHANNEL = 0x4000;

/** @throws TurnResponseError; the error of connecting. */
export const openUdpPath = async ({ server, peer }: TunnelOptions, end: UdpPathEnd): Promise<UdpPath> => {
  const allocation = await KeptAllocation.open({
    server: {
      ...server(),
      onReceived: ({ data, via, channel }) => {
        if (via === "channel" && channel === CHANNEL) end.data(data);
        // Data that a server sends before the channel exists arrives by indication.
        else if (via === "indication") end.data(data);
      },
    },
    family: peer.address.includes(":") ? "ipv6" : "ipv4",
    peers: "udp",
    onLost: (reason) => end.lost(reason),
  });
  try {
    await allocation.hold(() => allocation.client.channelBind(CHANNEL, peer));
  } catch (error) {
    await allocation.close();
    throw error;
  }
  return {
    relayed: allocation.relayed,
    send: (data) => allocation.client.sendChannel(CHANNEL, data),
    close: () => allocation.close(),
  };
};
