/** TURN over UDP: a client port of the engine for each bind address. */
import { wireAddressOf, formatAddress, type WireAddress, type TransportAddress } from "../../net/address.ts";
import type { ClientPort, Engine } from "../engines/engine.ts";
import type { Flow, Traffic } from "../flows.ts";
import type { ListenerOwner, ListenerPath, OpenListener } from "./listener.ts";

class UdpPath implements ListenerPath {
  readonly protocol = "udp";
  readonly client: WireAddress;
  readonly server: TransportAddress;
  readonly #port: ClientPort;

  constructor(port: ClientPort, client: TransportAddress, from: TransportAddress | undefined) {
    this.#port = port;
    this.client = wireAddressOf(client, from);
    this.server = from ?? port.at;
  }

  send(bytes: Buffer, start: number, end: number): boolean {
    this.#port.send(bytes, start, end, this.client);
    return true;
  }

  install(flow: Flow): void {
    this.#port.flows.install(flow);
  }

  remove(flow: Flow): void {
    this.#port.flows.remove(flow);
  }
}

/** Binds `port` on each address; if one fails, the others are closed and the promise rejects. */
export const listenUdp = async (
  engine: Engine,
  addresses: readonly string[],
  port: number,
  traffic: Traffic,
  owner: ListenerOwner,
): Promise<OpenListener> => {
  const ports: ClientPort[] = [];
  try {
    for (const address of addresses) {
      const opened: ClientPort = await engine.listen({ address, port }, traffic, {
        message: (bytes, client, from) => owner.message(bytes, new UdpPath(opened, client, from)),
        failed: owner.failed,
      });
      ports.push(opened);
    }
  } catch (error) {
    await Promise.all(ports.map((opened) => opened.close()));
    throw error;
  }
  return {
    at: ports.map(({ at }) => formatAddress(at.address, at.port)),
    connections: () => 0,
    kernelDrops: () => ports.reduce((sum, one) => sum + one.kernelDrops(), 0),
    close: async () => void (await Promise.all(ports.map((opened) => opened.close()))),
  };
};
