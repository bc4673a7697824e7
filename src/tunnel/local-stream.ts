/** Programs that connect to a port or socket of this machine, and standard input and output. */
import { once } from "node:events";
import { createServer, type AddressInfo, type ListenOptions, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { serveStream, type StreamOptions } from "./stream-client.ts";
import type { LocalSide } from "./tunnel.ts";
import { messageOf } from "../errors.ts";

export interface LocalTcpOptions extends StreamOptions {
  /** `host` and `port`, or the `path` of a Unix socket. */
  readonly listen: ListenOptions;
}

/** @throws the error of binding the address. */
export const openLocalTcp = async (options: LocalTcpOptions): Promise<LocalSide> => {
  const { listen, report } = options;
  const clients = new Map<Socket, Promise<void>>();
  let count = 0;
  const serve = async (socket: Socket): Promise<void> => {
    count += 1;
    const name =
      socket.remoteAddress === undefined ? `connection ${count}` : `${socket.remoteAddress}:${socket.remotePort ?? 0}`;
    try {
      await serveStream(socket, options, () => report({ event: "opened", client: name }));
      report({ event: "closed", client: name });
    } catch (error) {
      socket.destroy();
      report({ event: "failed", client: name, reason: messageOf(error) });
    }
  };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.pause();
    socket.on("error", () => undefined);
    clients.set(
      socket,
      serve(socket).finally(() => clients.delete(socket)),
    );
  });
  server.listen(listen);
  await once(server, "listening");
  const at = server.address() as AddressInfo | string;
  return {
    at:
      typeof at === "string"
        ? `unix://${at}`
        : `tcp://${at.address.includes(":") ? `[${at.address}]` : at.address}:${at.port}`,
    ended: new Promise(() => undefined),
    async close() {
      server.close();
      const all = [...clients.values()];
      for (const socket of clients.keys()) socket.destroy();
      await Promise.all(all);
    },
  };
};

/** Input is sent to the peer, and the peer's data is printed. */
export const openStdio = (options: StreamOptions): LocalSide => {
  const stream = Duplex.from({ readable: process.stdin, writable: process.stdout });
  stream.on("error", () => undefined);
  const ended = serveStream(stream, options, () => options.report({ event: "opened", client: "stdin" }));
  return {
    at: "-",
    ended,
    async close() {
      stream.destroy();
      await ended.catch(() => undefined);
    },
  };
};
