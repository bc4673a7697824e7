/** A web site over TLS (HTTP/1.1 and HTTP/2) or plain HTTP, which may expect a PROXY header before each connection. */
import { createServer as createHttp } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { TestCertificate } from "./certificate.ts";
import { readProxyHeader } from "../../src/dataplane/listeners/proxy-header.ts";

export interface WebSite {
  readonly port: number;
  /** `ADDRESS:PORT` of the client in each PROXY header, in order; `none` for a connection without one. */
  readonly clients: readonly string[];
  /** Connections that are open. */
  readonly open: ReadonlySet<Socket>;
  close(): Promise<void>;
}

/** What is left after the header, and the client in it; undefined while more is needed. */
const split = (bytes: Buffer): { readonly client: string; readonly rest: Buffer } | undefined => {
  const header = readProxyHeader(bytes);
  if (header === "invalid") throw new Error(`no PROXY header: ${bytes.toString("latin1")}`);
  if (header === "more") return undefined;
  const { address, port } = header.addresses?.source ?? { address: "local", port: 0 };
  return { client: `${address}:${port}`, rest: bytes.subarray(header.length) };
};

/** Answers `GET /` with `text`. */
export const startWebSite = async (
  text: string,
  options: { readonly certificate?: TestCertificate; readonly proxyHeader?: boolean; readonly port?: number } = {},
): Promise<WebSite> => {
  const { certificate, proxyHeader = true, port = 0 } = options;
  const web: Server =
    certificate === undefined
      ? createHttp((_, response) => response.setHeader("content-type", "text/html").end(text))
      : createSecureServer({ cert: certificate.certificate, key: certificate.key, allowHTTP1: true }, (_, response) => {
          response.setHeader("content-type", "text/html");
          response.end(text);
        });
  const clients: string[] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined).once("close", () => open.delete(socket));
    if (!proxyHeader) {
      clients.push("none");
      web.emit("connection", socket);
      return;
    }
    let read = Buffer.alloc(0);
    const data = (chunk: Buffer): void => {
      read = Buffer.concat([read, chunk]);
      const found = split(read);
      if (found === undefined) return;
      clients.push(found.client);
      socket.off("data", data).pause();
      if (found.rest.length > 0) socket.unshift(found.rest);
      web.emit("connection", socket);
      // A TLS server reads what was put back itself.
      if (certificate === undefined) socket.resume();
    };
    socket.on("data", data);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    clients,
    open,
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
};
