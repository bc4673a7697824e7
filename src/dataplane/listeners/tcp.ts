/** TURN over TCP. */
import { createServer } from "node:net";
import type { Engine } from "../engines/engine.ts";
import type { Traffic } from "../flows.ts";
import { SocketConnection } from "./connection.ts";
import type { ListenerOwner, OpenListener } from "./listener.ts";
import { createProxied } from "./proxied.ts";
import { bindServer, listenStream, type StreamOptions } from "./stream.ts";

/** Binds `port` on each address; if one fails, the others are closed and the promise rejects. */
export const listenTcp = async (
  engine: Engine,
  addresses: readonly string[],
  port: number,
  traffic: Traffic,
  owner: ListenerOwner,
): Promise<OpenListener> => {
  const closings: (() => void)[] = [];
  const listen: StreamOptions["listen"] = async (at, accept) => {
    if (owner.proxyProtocol) {
      const { limits, dropped } = owner;
      const proxied = createProxied({
        limits,
        dropped,
        accept: (socket, told) => accept(new SocketConnection(socket, told)),
      });
      closings.push(proxied.close);
      return bindServer(createServer(proxied.take), at, owner);
    }
    if (engine.streams === undefined)
      return bindServer(
        createServer((socket) => accept(new SocketConnection(socket))),
        at,
        owner,
      );
    const bound = await engine.streams(at, owner.streams !== undefined, accept);
    return { at: bound.at, close: async () => bound.close() };
  };
  const open = await listenStream({ protocol: "tcp", listen }, addresses, port, traffic, owner);
  return {
    ...open,
    async close() {
      for (const closing of closings) closing();
      await open.close();
    },
  };
};
