/**
 * The relayed transport address of a TCP allocation (RFC 6062 §5.1): it accepts connections of peers, and makes connections
 * to them.
 */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { familyOf, type TransportAddress } from "../net/address.ts";
import type { Family } from "../net/ip.ts";
import { connectMilliseconds } from "./limits.ts";
import type { RelayAddress } from "./placement.ts";
import { dial, sharesAddresses } from "./tcp-dial.ts";

export class TcpRelay {
  readonly family: Family;
  readonly address: string;
  readonly port: number;
  readonly #server: Server;
  readonly #bind: string;
  #accept: (socket: Socket) => void = (socket) => socket.destroy();

  private constructor(server: Server, { bind, advertised }: RelayAddress, port: number) {
    this.#server = server;
    this.#bind = bind;
    this.family = familyOf(advertised);
    this.address = advertised;
    this.port = port;
  }

  /** Binds it to a free port. Rejects if it cannot. */
  static async open(address: RelayAddress): Promise<TcpRelay> {
    let relay: TcpRelay | undefined;
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      socket.on("error", () => undefined);
      if (relay === undefined) socket.destroy();
      else relay.#accept(socket);
    });
    server.listen({ host: address.bind, port: 0, exclusive: true, ipv6Only: true, reusePort: sharesAddresses() });
    await once(server, "listening");
    server.on("error", () => undefined);
    const at = server.address();
    if (at === null || typeof at === "string") throw new Error("it has no port");
    relay = new TcpRelay(server, address, at.port);
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
  }
}
