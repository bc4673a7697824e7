/** TURN over TCP. */
import { createServer } from "node:net";
import type { Traffic } from "../flows.ts";
import type { ListenerOwner, OpenListener } from "./listener.ts";
import { createProxied } from "./proxied.ts";
import { listenStream } from "./stream.ts";

/** Binds `port` on each address; when one fails the others are closed and the promise rejects. */
export const listenTcp = async (
  addresses: readonly string[],
  port: number,
  traffic: Traffic,
  owner: ListenerOwner,
): Promise<OpenListener> => {
  const closings: (() => void)[] = [];
  const open = await listenStream(
    {
      protocol: "tcp",
      makeServer(accept) {
        if (!owner.proxyProtocol) return createServer({ noDelay: true }, (socket) => accept(socket));
        const { limits, dropped } = owner;
        const proxied = createProxied({ limits, dropped, accept });
        closings.push(proxied.close);
        return createServer({ noDelay: true }, proxied.take);
      },
    },
    addresses,
    port,
    traffic,
    owner,
  );
  return {
    ...open,
    async close() {
      for (const closing of closings) closing();
      await open.close();
    },
  };
};
