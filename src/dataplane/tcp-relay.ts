/**
 * The relayed transport address of a TCP allocation (RFC 6062 §5.1): it accepts connections of peers, and makes connections
 * to them.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { familyOf, type TransportAddress } from "../net/address.ts";
import type { Family } from "../net/ip.ts";
import { connectMilliseconds } from "./limits.ts";
import type { RelayAddress } from "./placement.ts";
import type { RelayPortRange } from "./relay-port-range.ts";
import { dial, sharesAddresses } from "./tcp-dial.ts";

/**
 * Binds the UDP port of this number, so that nobody else takes the number from a range: servers of TCP share theirs, so
 * binding a second one would succeed. @returns what releases it.
 */
const claim = async ({ bind }: RelayAddress, port: number): Promise<() => void> => {
  const socket = createSocket({ type: familyOf(bind) === 6 ? "udp6" : "udp4", ipv6Only: familyOf(bind) === 6 });
  try {
    socket.bind({ address: bind, port, exclusive: true });
    await once(socket, "listening");
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on("error", () => undefined);
  return () => void socket.close();
};

export class TcpRelay {
  readonly family: Family;
  readonly address: string;
  readonly port: number;
  readonly #server: Server;
  readonly #bind: string;
  readonly #release: () => void;
  #accept: (socket: Socket) => void = (socket) => socket.destroy();

  private constructor(server: Server, { bind, advertised }: RelayAddress, port: number, release: () => void) {
    this.#server = server;
    this.#release = release;
    this.#bind = bind;
    this.family = familyOf(advertised);
    this.address = advertised;
    this.port = port;
  }

  /** Binds it to a free port of `ports`. Rejects if it cannot. */
  static open(address: RelayAddress, ports: RelayPortRange): Promise<TcpRelay> {
    return ports.open(address, async (port) => {
      if (port === 0) return TcpRelay.#listen(address, 0, () => undefined);
      const release = await claim(address, port);
      return TcpRelay.#listen(address, port, release).catch((error: unknown) => {
        release();
        throw error;
      });
    });
  }

  static async #listen(address: RelayAddress, port: number, release: () => void): Promise<TcpRelay> {
    let relay: TcpRelay | undefined;
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      socket.on("error", () => undefined);
      if (relay === undefined) socket.destroy();
      else relay.#accept(socket);
    });
    server.listen({ host: address.bind, port, exclusive: true, ipv6Only: true, reusePort: sharesAddresses() });
    await once(server, "listening");
    server.on("error", () => undefined);
    const at = server.address();
    if (at === null || typeof at === "string") throw new Error("it has no port");
    relay = new TcpRelay(server, address, at.port, release);
    return relay;
  }

  /** From here on connections of peers are passed to `accept`, paused. */
  attach(accept: (socket: Socket) => void): void {
    this.#accept = accept;
  }

  /** Connects to a peer, from this address. The socket is paused. Rejects with the error. */
  dial(peer: TransportAddress): Promise<Socket> {
    return dial({ address: this.#bind, port: this.port }, peer, connectMilliseconds);
  }

  /** Stops accepting connections; open ones have other owners. */
  close(): void {
    this.#accept = (socket) => socket.destroy();
    this.#server.close();
    this.#release();
  }
}
