/** TURN over UDP: a client port of the engine for each bind address. */
import { familyOf, formatAddress, isWildcard, wireAddressOf } from "../../net/address.ts";
import type { TransportAddress, WireAddress } from "../../net/address.ts";
import type { ClientPort, Engine } from "../engines/engine.ts";
import type { Flow, Traffic } from "../flows.ts";
import type { Discovery, ListenerOwner, ListenerPath, OpenListener } from "./listener.ts";

/**
 * Four ports for NAT behaviour discovery (RFC 5780 §6): two addresses, each with the listener's port and the next one. By
 * number: 1 is added for the other port, 2 for the other address.
 */
type Corners = Map<number, ClientPort>;
const [OTHER_PORT, OTHER_ADDRESS] = [1, 2] as const;

/** A port, and its number among those of its corners. */
interface Corner {
  readonly corners: Corners;
  readonly number: number;
}

class UdpPath implements ListenerPath {
  readonly protocol = "udp";
  readonly client: WireAddress;
  readonly server: TransportAddress;
  readonly #port: ClientPort;
  readonly #corner: Corner | undefined;

  constructor(port: ClientPort, client: TransportAddress, from: TransportAddress | undefined, corner?: Corner) {
    this.#port = port;
    this.client = wireAddressOf(client, from);
    this.server = from ?? port.at;
    this.#corner = corner;
  }

  get discovery(): Discovery | undefined {
    const corner = this.#corner;
    const opposite = corner?.corners.get(corner.number ^ OTHER_ADDRESS ^ OTHER_PORT);
    if (corner === undefined || opposite === undefined) return undefined;
    return {
      other: opposite.at,
      by: (changesAddress, changesPort, clientPort) => {
        const number = corner.number ^ (changesAddress ? OTHER_ADDRESS : 0) ^ (changesPort ? OTHER_PORT : 0);
        const { address, port } = this.client;
        return new UdpPath(corner.corners.get(number) ?? this.#port, { address, port: clientPort ?? port }, undefined);
      },
    };
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

/** The first two addresses of a family; undefined for a family without two. */
const pairOf = (addresses: readonly string[], family: 4 | 6): readonly string[] | undefined => {
  const [one, other] = addresses.filter((address) => familyOf(address) === family && !isWildcard(address));
  return one === undefined || other === undefined ? undefined : [one, other];
};

const BINDING_REQUEST = 0x0001;

/** Binds `port` on each address; if one fails, the others are closed and the promise rejects. */
export const listenUdp = async (
  engine: Engine,
  addresses: readonly string[],
  port: number,
  traffic: Traffic,
  owner: ListenerOwner,
): Promise<OpenListener> => {
  const ports: ClientPort[] = [];
  const alternates: ClientPort[] = [];
  const open = async (address: string, corner?: Corner): Promise<ClientPort> => {
    const opened: ClientPort = await engine.listen({ address, port }, traffic, {
      message: (bytes, client, from) => owner.message(bytes, new UdpPath(opened, client, from, corner)),
      failed: owner.failed,
    });
    ports.push(opened);
    corner?.corners.set(corner.number, opened);
    return opened;
  };
  /** The next port answers nothing but Binding. */
  const openAlternate = async (at: TransportAddress, corner: Corner): Promise<void> => {
    const opened: ClientPort = await engine.listen(at, traffic, {
      message: (bytes, client) => {
        if (bytes.readUInt16BE(0) === BINDING_REQUEST)
          owner.message(bytes, new UdpPath(opened, client, undefined, corner));
        else owner.dropped("discovery-port");
      },
      failed: owner.failed,
    });
    alternates.push(opened);
    corner.corners.set(corner.number, opened);
  };
  const close = async (): Promise<void> =>
    void (await Promise.all([...ports, ...alternates].map((opened) => opened.close())));
  try {
    const pairs = owner.natDiscovery
      ? [pairOf(addresses, 4), pairOf(addresses, 6)].filter((pair) => pair !== undefined)
      : [];
    for (const address of addresses) if (!pairs.flat().includes(address)) await open(address);
    for (const pair of pairs) {
      const corners: Corners = new Map();
      for (const [index, address] of pair.entries()) {
        const number = index * OTHER_ADDRESS;
        const { at } = await open(address, { corners, number });
        await openAlternate({ address, port: at.port + 1 }, { corners, number: number + OTHER_PORT });
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    at: ports.map(({ at }) => formatAddress(at.address, at.port)),
    connections: () => 0,
    kernelDrops: () => [...ports, ...alternates].reduce((sum, one) => sum + one.kernelDrops(), 0),
    close,
  };
};
