/** Small HTTP servers: they are bound when returned, close at once, and no request can end them. */
import { createServer, type IncomingMessage, type ServerOptions, type ServerResponse } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { messageOf } from "./errors.ts";

export interface HttpEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** Answers a request, now or when its promise resolves. An exception or a rejection is answered with 500. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** `handler` as a listener that neither throws nor leaves an unhandled rejection. */
export const guarded =
  (handler: Handler) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    const failed = (error: unknown): void => {
      // A partial answer cannot be replaced by another.
      if (response.headersSent) response.destroy();
      else answer(response, 500, `${messageOf(error)}\n`);
    };
    const answered = async (): Promise<unknown> => handler(request, response);
    answered().catch(failed);
  };

/**
 * Binds `server`; later errors, such as a connection that it cannot accept, are passed to `onError`.
 *
 * @param host if absent or empty, every address of both families.
 * @returns the port.
 * @throws the error of `listen` if it cannot be bound.
 */
export const listen = async (
  server: Server,
  host: string | undefined,
  port: number,
  onError: (error: Error) => void = () => undefined,
): Promise<number> => {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      server.on("error", onError);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
};

/** As `listen`, for a server with `handler`. */
export const serveHttp = async (
  host: string | undefined,
  port: number,
  handler: Handler,
  options: ServerOptions = {},
): Promise<HttpEndpoint> => {
  const server = createServer(options, guarded(handler));
  return {
    port: await listen(server, host, port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

const JSON_TYPE = "application/json; charset=utf-8";

/** Answers with `body`, with headers against caching and content sniffing. */
export const answer = (response: ServerResponse, code: number, body: string, type = "text/plain"): void => {
  response.writeHead(code, { "content-type": type, "x-content-type-options": "nosniff", "cache-control": "no-store" });
  response.end(body);
};

export const answerJson = (response: ServerResponse, value: unknown, code = 200): void =>
  answer(response, code, `${JSON.stringify(value)}\n`, JSON_TYPE);

/** Answers `/metrics`. */
export interface Scrape {
  readonly contentType: string;
  scrape(): Promise<string>;
}

export const answerMetrics = async (response: ServerResponse, metrics: Scrape): Promise<void> =>
  answer(response, 200, await metrics.scrape(), metrics.contentType);

/** The URL of the request, regardless of its host; undefined if it is malformed. */
export const urlOf = ({ url = "/" }: IncomingMessage): URL | undefined =>
  URL.parse(url.replace(/^\/+/, "/"), "http://here") ?? undefined;

/** `url` without its query. */
export const pathOf = (url = "/"): string => url.split("?")[0] ?? "/";
