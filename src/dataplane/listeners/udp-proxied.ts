/**
 * TURN over UDP through load balancers: each datagram from one begins with a PROXY header, version 2, that names the
 * client. Answers go back to the load balancer, without a header. Other clients may send directly.
 */
import { formatAddress, wireAddressOf, type TransportAddress, type WireAddress } from "../../net/address.ts";
import type { DatagramPort, Engine } from "../engines/engine.ts";
import { fromClient, isSendIndication } from "../engines/forward.ts";
import type { Flow, Traffic } from "../flows.ts";
import type { ListenerOwner, ListenerPath, OpenListener } from "./listener.ts";
import { readProxyHeader, type ProxyAddresses } from "./proxy-header.ts";

/** Where a datagram came from, and which of our addresses it was sent to on a wildcard port. */
interface Arrival {
  readonly sender: TransportAddress;
  readonly at: TransportAddress | undefined;
}

class ProxiedPath implements ListenerPath {
  readonly protocol = "udp";
  readonly isProxied = true;
  readonly client: WireAddress;
  readonly server: TransportAddress;
  flow: Flow | undefined;
  readonly #key: string;
  readonly #port: DatagramPort;
  readonly #paths: Map<string, ProxiedPath>;
  /** Where answers go. */
  #via: WireAddress;

  constructor(
    key: string,
    { source, destination }: ProxyAddresses,
    port: DatagramPort,
    arrival: Arrival,
    paths: Map<string, ProxiedPath>,
  ) {
    this.client = wireAddressOf(source);
    this.server = destination;
    this.#key = key;
    this.#port = port;
    this.#paths = paths;
    this.#via = wireAddressOf(arrival.sender, arrival.at);
  }

  /** A load balancer may send from another port after a pause, or another one may take over. */
  cameBy({ sender, at }: Arrival): void {
    const { address, port, from } = this.#via;
    if (address !== sender.address || port !== sender.port || from?.address !== at?.address)
      this.#via = wireAddressOf(sender, at);
  }

  send(bytes: Buffer, start: number, end: number): boolean {
    this.#port.send(bytes, start, end, this.#via);
    return true;
  }

  /** Only clients with an allocation are remembered. */
  install(flow: Flow): void {
    this.flow = flow;
    this.#paths.set(this.#key, this);
  }

  remove(flow: Flow): void {
    if (this.flow !== flow) return;
    this.flow = undefined;
    if (this.#paths.get(this.#key) === this) this.#paths.delete(this.#key);
  }
}

/** Binds `port` on each address; if one fails, the others are closed and the promise rejects. */
export const listenUdpProxied = async (
  engine: Engine,
  addresses: readonly string[],
  port: number,
  traffic: Traffic,
  owner: ListenerOwner,
  isBalancer: (address: string) => boolean,
): Promise<OpenListener> => {
  const ports: DatagramPort[] = [];
  const paths = new Map<string, ProxiedPath>();

  const receive = (bytes: Buffer, on: DatagramPort, arrival: Arrival): void => {
    const { sender, at } = arrival;
    const header = isBalancer(sender.address) ? readProxyHeader(bytes, "udp") : { length: 0 };
    if (typeof header === "string") return owner.dropped("proxy-header");
    // A load balancer that speaks for itself checks whether we are there.
    const ends = header.addresses ?? { source: sender, destination: at ?? on.at };
    const { source, destination } = ends;
    const start = header.length;
    const first = bytes[start] ?? 0xff;
    if (first > 0x7f || (first > 3 && first < 0x40) || source.port === 0) return owner.dropped("not-stun");
    const key = `${source.address} ${source.port} ${destination.address} ${destination.port}`;
    const path = paths.get(key);
    path?.cameBy(arrival);
    if (path?.flow !== undefined && fromClient(path.flow, bytes, start, bytes.length)) return undefined;
    if (first >= 0x40 || isSendIndication(bytes, start)) return owner.dropped("no-allocation");
    const message = Buffer.from(bytes.subarray(start));
    traffic.packetsIn++;
    traffic.bytesIn += message.length;
    return owner.message(message, path ?? new ProxiedPath(key, ends, on, arrival, paths));
  };

  try {
    for (const address of addresses) {
      const opened: DatagramPort = await engine.datagrams(
        { address, port },
        { message: (bytes, sender, at) => receive(bytes, opened, { sender, at }), failed: owner.failed },
      );
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
