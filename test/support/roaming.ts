/** A UDP client whose address changes, as that of a phone does between networks. */
import type { Socket } from "node:dgram";
import type { TransportAddress } from "../../src/net/address.ts";
import type { Receiver, Transport } from "../../src/turn-client/transport.ts";
import { bindUdp } from "./free-port.ts";

export interface Roaming {
  /** For `TurnClientOptions`. */
  readonly transport: (receiver: Receiver) => Transport;
  /** `ADDRESS:PORT`. */
  readonly at: string;
  /** Datagrams received by each address that it has had, the first one first. */
  readonly received: readonly number[];
  /** Sends from another address from here on. What arrives at the earlier ones is still received. */
  roam(address: string): Promise<void>;
  /** Sends one datagram from an earlier address, by its number from 0. */
  sendFrom(index: number, bytes: Buffer): void;
  close(): void;
}

const textOf = (socket: Socket): string => `${socket.address().address}:${socket.address().port}`;

export const startRoaming = async (server: TransportAddress, address = "127.0.0.1"): Promise<Roaming> => {
  const sockets: Socket[] = [];
  const received: number[] = [];
  let receiver: Receiver | undefined;
  const roam = async (to: string): Promise<void> => {
    const socket = await bindUdp(to, 0);
    const index = sockets.push(socket) - 1;
    received.push(0);
    socket.on("message", (bytes) => {
      received[index] = (received[index] ?? 0) + 1;
      receiver?.message(bytes);
    });
  };
  await roam(address);
  const current = (): Socket => sockets.at(-1)!;
  return {
    transport: (to) => {
      receiver = to;
      return {
        isReliable: false,
        local: current().address(),
        send: (bytes) => current().send(bytes, server.port, server.address),
        close: () => undefined,
      };
    },
    get at() {
      return textOf(current());
    },
    received,
    roam,
    sendFrom: (index, bytes) => sockets[index]!.send(bytes, server.port, server.address),
    close: () => {
      for (const socket of sockets) socket.close();
    },
  };
};
