/** TURN over TCP. */
import { createServer } from "node:net";
import type { Traffic } from "../flows.ts";
import type { ListenerOwner, OpenListener } from "./listener.ts";
import { listenStream } from "./stream.ts";

/** Binds `port` on each address; when one fails the others are closed and the promise rejects. */
export const listenTcp = (
  addresses: readonly string[],
  port: number,
  traffic: Traffic,
  owner: ListenerOwner,
): Promise<OpenListener> =>
  listenStream(
    { protocol: "tcp", makeServer: (accept) => createServer({ noDelay: true }, accept) },
    addresses,
    port,
    traffic,
    owner,
  );
