/**
 * TURN over TLS (RFC 8656 §3.1): handshakes are limited in number and time, and the certificate may change while the
 * listener runs.
 */
import { createServer as createTcpServer, type Socket } from "node:net";
import { createServer, type Server } from "node:tls";
import type { Traffic } from "../flows.ts";
import { SocketConnection } from "./connection.ts";
import type { ListenerOwner, Material, OpenListener } from "./listener.ts";
import { createProxied, type Addresses } from "./proxied.ts";
import { bindServer, listenStream } from "./stream.ts";

/**
 * Binds `port` on each address; if one fails, the others are closed and the promise rejects. @throws OpenSSL's error for
 * `material`.
 */
export const listenTls = async (
  addresses: readonly string[],
  port: number,
  traffic: Traffic,
  owner: ListenerOwner,
  material: Material,
): Promise<OpenListener> => {
  const { handshakeMilliseconds, maxHandshakes } = owner.limits;
  const servers: Server[] = [];
  const closings: (() => void)[] = [];
  const ticketKeys = owner.streams && { ticketKeys: Buffer.from(owner.streams.ticketKeys) };
  const secure = ({ certificate, key }: Material) => ({
    cert: certificate,
    key,
    minVersion: "TLSv1.2" as const,
    ...ticketKeys,
  });
  /** In order of arrival. */
  const handshaking = new Set<Socket>();
  /** Of those that came through a load balancer. */
  const told = new WeakMap<Socket, NonNullable<Addresses>>();

  const open = await listenStream(
    {
      protocol: "tls",
      listen(at, accept) {
        const server = createServer({ ...secure(material), handshakeTimeout: handshakeMilliseconds });
        server.on("connection", (socket) => {
          socket.setNoDelay(true);
          handshaking.add(socket);
          socket.once("close", () => handshaking.delete(socket));
          const [oldest] = handshaking;
          if (handshaking.size <= maxHandshakes || oldest === undefined) return;
          owner.counts.failedHandshakes++;
          owner.dropped("handshakes");
          oldest.destroy();
        });
        server.on("secureConnection", (socket) => {
          owner.counts.handshakes++;
          // Only raw sockets that are still in a handshake matter; this one is identified by its port.
          let addresses: Addresses;
          for (const raw of handshaking)
            if (raw.remotePort === socket.remotePort && raw.remoteAddress === socket.remoteAddress) {
              handshaking.delete(raw);
              addresses = told.get(raw);
            }
          accept(new SocketConnection(socket, addresses));
        });
        server.on("tlsClientError", (_, socket) => {
          owner.counts.failedHandshakes++;
          owner.dropped("handshake");
          socket.destroy();
        });
        servers.push(server);
        if (!owner.proxyProtocol) return bindServer(server, at, owner);
        const { limits, dropped } = owner;
        const proxied = createProxied({
          limits,
          dropped,
          accept(raw, addresses) {
            if (addresses !== undefined) told.set(raw, addresses);
            server.emit("connection", raw);
          },
        });
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
    renew(next) {
      for (const server of servers) server.setSecureContext(secure(next));
    },
    async close() {
      for (const closing of closings) closing();
      for (const socket of handshaking) socket.destroy();
      await open.close();
    },
  };
};
