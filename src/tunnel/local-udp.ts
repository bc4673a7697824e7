/** Programs that send datagrams to a port of this machine, each with a separate allocation. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { openUdpPath, type UdpPath } from "./udp-path.ts";
import type { LocalSide, TunnelOptions } from "./tunnel.ts";
import { messageOf } from "../errors.ts";

export interface LocalUdpOptions extends TunnelOptions {
  readonly host: string;
  readonly port: number;
  /** A client that neither sends nor receives for this long is dropped; without it none is. */
  readonly idleMs?: number;
}

interface Client {
  /** Datagrams that arrived while the path was being opened. */
  waiting: Buffer[];
  path?: UdpPath;
  lastAt: number;
}

/** Maximum that a client may send before its path is open. */
const MOST_WAITING = 256;
/** After a failure, a client is not retried for this long. */
const PENANCE_MS = 1000;
const BUFFER_BYTES = 4 << 20;

/** @throws the error of binding the address. */
export const openLocalUdp = async (options: LocalUdpOptions): Promise<LocalSide> => {
  const { host, port, idleMs, report } = options;
  const socket = createSocket({ type: host.includes(":") ? "udp6" : "udp4", recvBufferSize: BUFFER_BYTES });
  socket.bind(port, host);
  await once(socket, "listening");
  socket.on("error", () => undefined);
  const clients = new Map<string, Client>();
  let isClosed = false;

  const forget = (name: string, client: Client): void => {
    if (clients.get(name) === client) clients.delete(name);
  };
  const begin = (name: string, address: string, from: number): Client => {
    const client: Client = { waiting: [], lastAt: performance.now() };
    openUdpPath(options, {
      data(bytes) {
        client.lastAt = performance.now();
        if (!isClosed) socket.send(bytes, from, address);
      },
      lost(reason) {
        forget(name, client);
        report({ event: "closed", client: name, reason });
      },
    }).then(
      (path) => {
        if (isClosed) {
          void path.close();
          return;
        }
        client.path = path;
        report({ event: "opened", client: name });
        for (const datagram of client.waiting) path.send(datagram);
        client.waiting = [];
      },
      (error: unknown) => {
        report({ event: "failed", client: name, reason: messageOf(error) });
        setTimeout(() => forget(name, client), PENANCE_MS).unref();
      },
    );
    return client;
  };

  socket.on("message", (datagram, { address, port: from }) => {
    const name = address.includes(":") ? `[${address}]:${from}` : `${address}:${from}`;
    let client = clients.get(name);
    if (client === undefined) clients.set(name, (client = begin(name, address, from)));
    client.lastAt = performance.now();
    if (client.path !== undefined) client.path.send(datagram);
    else if (client.waiting.length < MOST_WAITING) client.waiting.push(datagram);
  });

  const sweep =
    idleMs === undefined
      ? undefined
      : setInterval(() => {
          const now = performance.now();
          for (const [name, client] of clients) {
            if (client.path === undefined || now - client.lastAt < idleMs) continue;
            forget(name, client);
            report({ event: "closed", client: name, reason: "idle" });
            void client.path.close();
          }
        }, idleMs / 4);

  const at = socket.address();
  return {
    at: `udp://${at.address.includes(":") ? `[${at.address}]` : at.address}:${at.port}`,
    ended: new Promise(() => undefined),
    async close() {
      isClosed = true;
      clearInterval(sweep);
      socket.close();
      await Promise.all([...clients.values()].flatMap(({ path }) => path?.close() ?? []));
    },
  };
};
