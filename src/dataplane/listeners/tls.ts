/** TURN over TLS (RFC 8656 §3.1). */
import type { Engine } from "../engines/engine.ts";
import type { Traffic } from "../flows.ts";
import { hasOpenSsl } from "../openssl/openssl.ts";
import { TlsServer } from "../openssl/tls-server.ts";
import type { ListenerOwner, Materials, OpenListener } from "./listener.ts";
import { listenStream } from "./stream.ts";
import { TlsHandshakes } from "./tls-handshakes.ts";
import { listenTlsSockets } from "./tls-sockets.ts";

/**
 * Binds `port` on each address; if one fails, the others are closed and the promise rejects. @throws OpenSSL's error for
 * the first of `materials`.
 */
export const listenTls = async (
  engine: Engine,
  addresses: readonly string[],
  port: number,
  traffic: Traffic,
  owner: ListenerOwner,
  materials: Materials,
): Promise<OpenListener> => {
  if (engine.streams === undefined || owner.proxyProtocol || !hasOpenSsl())
    return listenTlsSockets(addresses, port, traffic, owner, materials);
  const streams = engine.streams.bind(engine);
  const server = new TlsServer(materials, owner.streams?.ticketKeys);
  const handshakes = new TlsHandshakes(server, owner);
  try {
    const open = await listenStream(
      {
        protocol: "tls",
        async listen(at, accept) {
          const bound = await streams(at, owner.streams !== undefined, (raw) => handshakes.take(raw, accept));
          return { at: bound.at, close: async () => bound.close() };
        },
      },
      addresses,
      port,
      traffic,
      owner,
    );
    return {
      ...open,
      faults: () => server.faults,
      renew: (next) => server.renew(next),
      async close() {
        handshakes.close();
        await open.close();
        server.close();
      },
    };
  } catch (error) {
    server.close();
    throw error;
  }
};
