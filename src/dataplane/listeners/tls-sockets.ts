/**
 * TLS by Node's sockets: behind load balancers that send PROXY headers, and where the engine has no streams. Handshakes are
 * limited in number and time, and certificates may change while the listener runs. Before a handshake begins, the
 * ClientHello says whether the client wants TURN or the HTTP backend.
 */
import { createServer as createTcpServer, type Socket } from "node:net";
import { createSecureContext, createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import type { Traffic } from "../flows.ts";
import { Certificates } from "./certificates.ts";
import type { ClientHello } from "./client-hello.ts";
import { addressesOf, SocketConnection, type Connection } from "./connection.ts";
import { readHello } from "./hello-reader.ts";
import type { ListenerOwner, Material, Materials, OpenListener } from "./listener.ts";
import { isHttp, turnProtocolOf, turnProtocols, type TurnProtocol } from "./protocols.ts";
import { createProxied, type Addresses } from "./proxied.ts";
import { bindServer, listenStream } from "./stream.ts";

type Accept = (connection: Connection) => void;

/**
 * Binds `port` on each address; if one fails, the others are closed and the promise rejects. @throws OpenSSL's error for
 * the first of `materials`.
 */
export const listenTlsSockets = async (
  addresses: readonly string[],
  port: number,
  traffic: Traffic,
  owner: ListenerOwner,
  materials: Materials,
): Promise<OpenListener> => {
  const { handshakeMilliseconds, maxHandshakes } = owner.limits;
  const servers: Server[] = [];
  const closings: (() => void)[] = [];
  const ticketKeys = owner.streams && { ticketKeys: Buffer.from(owner.streams.ticketKeys) };
  const secure = ({ certificate, key }: Material): SecureContextOptions => ({
    cert: certificate,
    key,
    minVersion: "TLSv1.2",
    ...ticketKeys,
  });
  const certificates = new Certificates(materials, (material) => createSecureContext(secure(material)));
  /** In order of arrival, each with the addresses that a load balancer has reported. */
  const handshaking = new Map<Socket, Addresses>();

  const failed = (socket: Socket, reason: "handshake" | "handshakes"): void => {
    owner.counts.failedHandshakes++;
    owner.dropped(reason);
    socket.destroy();
  };

  /** Only raw sockets that are still in a handshake matter; this one is identified by its port. */
  const settle = ({ remotePort, remoteAddress }: TLSSocket): Addresses => {
    let addresses: Addresses;
    for (const [raw, reported] of handshaking)
      if (raw.remotePort === remotePort && raw.remoteAddress === remoteAddress) {
        handshaking.delete(raw);
        addresses = reported;
      }
    return addresses;
  };

  /**
   * Handshakes of connections that are handed to it. A server of Node's that knows any protocol rejects clients that offer
   * only others, so there is one for each protocol, and one for clients that offer none that is known.
   */
  const createTls = (protocol: TurnProtocol | undefined, accept: Accept): Server => {
    const server = createServer({
      ...secure(materials.first),
      handshakeTimeout: handshakeMilliseconds,
      SNICallback: (name, done) => done(null, certificates.for(name)),
      ...(protocol === undefined ? {} : { ALPNProtocols: [protocol] }),
    });
    server.on("secureConnection", (socket) => {
      owner.counts.handshakes++;
      accept(new SocketConnection(socket, settle(socket)));
    });
    server.on("tlsClientError", (_, socket) => failed(socket, "handshake"));
    servers.push(server);
    return server;
  };

  const open = await listenStream(
    {
      protocol: "tls",
      listen(at, accept) {
        const byProtocol = new Map(
          [undefined, ...turnProtocols].map((protocol) => [protocol, createTls(protocol, accept)]),
        );
        const shake = (socket: Socket, { protocols }: ClientHello): void => {
          if (owner.backend !== undefined && isHttp(protocols)) {
            const reported = handshaking.get(socket);
            handshaking.delete(socket);
            owner.splice(socket, reported ?? addressesOf(socket));
          } else byProtocol.get(turnProtocolOf(protocols, owner.isStunOnly))?.emit("connection", socket);
        };
        const begin = (socket: Socket, reported: Addresses): void => {
          socket.setNoDelay(true);
          socket.on("error", () => undefined);
          handshaking.set(socket, reported);
          socket.once("close", () => handshaking.delete(socket));
          const [oldest] = handshaking.keys();
          if (handshaking.size > maxHandshakes && oldest !== undefined) failed(oldest, "handshakes");
          readHello(socket, {
            limitMilliseconds: handshakeMilliseconds,
            read: (hello) => shake(socket, hello),
            failed: () => {
              if (handshaking.has(socket)) failed(socket, "handshake");
            },
          });
        };
        if (!owner.proxyProtocol)
          return bindServer(
            createTcpServer((socket) => begin(socket, undefined)),
            at,
            owner,
          );
        const { limits, dropped } = owner;
        const proxied = createProxied({ limits, dropped, accept: begin });
        closings.push(proxied.close);
        return bindServer(createTcpServer({ noDelay: true }, proxied.take), at, owner);
      },
    },
    addresses,
    port,
    traffic,
    owner,
  );
  return {
    ...open,
    faults: () => certificates.faults,
    renew(next) {
      certificates.renew(next);
      for (const server of servers) server.setSecureContext(secure(next.first));
    },
    async close() {
      for (const closing of closings) closing();
      for (const socket of handshaking.keys()) socket.destroy();
      await open.close();
    },
  };
};
