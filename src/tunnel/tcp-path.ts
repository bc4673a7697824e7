/** A TCP peer: a connection that the server makes, bound to one of ours (RFC 6062). */
import type { Socket } from "node:net";
import type { TransportAddress } from "../net/address.ts";
import { KeptAllocation } from "./allocation.ts";
import type { TunnelOptions } from "./tunnel.ts";

export interface TcpPath {
  readonly relayed: TransportAddress | undefined;
  /** The stream to and from the peer. It is paused. */
  connect(): Promise<Socket>;
  close(): Promise<void>;
}

/** @throws TurnResponseError; the error of connecting. */
export const openTcpPath = async (
  { server, peer }: TunnelOptions,
  lost: (reason: string) => void,
): Promise<TcpPath> => {
  const allocation = await KeptAllocation.open({
    server: server(),
    family: peer.address.includes(":") ? "ipv6" : "ipv4",
    peers: "tcp",
    onLost: lost,
  });
  return {
    relayed: allocation.relayed,
    connect: async () => allocation.client.connectionBind(await allocation.client.connect(peer)),
    close: () => allocation.close(),
  };
};
