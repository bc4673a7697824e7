/** Small HTTP servers: bound when they are given, gone at once when they are closed. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

export interface Endpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** @throws the error of `listen` when the address cannot be bound. */
export const serveHttp = async (host: string, port: number, listener: RequestListener): Promise<Endpoint> => {
  const server = createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
