/** Small HTTP servers: bound when they are given, gone at once when they are closed. */
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Endpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** @param host without one, every address of both families. @throws the error of `listen` when it cannot be bound. */
export const serveHttp = async (
  host: string | undefined,
  port: number,
  listener: RequestListener,
): Promise<Endpoint> => {
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

const JSON_TYPE = "application/json; charset=utf-8";

/** Answers with `body`, which nobody may keep or take for anything else. */
export const answer = (response: ServerResponse, code: number, body: string, type = "text/plain"): void => {
  response.writeHead(code, { "content-type": type, "x-content-type-options": "nosniff", "cache-control": "no-store" });
  response.end(body);
};

export const answerJson = (response: ServerResponse, value: unknown, code = 200): void =>
  answer(response, code, `${JSON.stringify(value)}\n`, JSON_TYPE);

/** What `/metrics` answers. */
export interface Scrape {
  readonly contentType: string;
  scrape(): Promise<string>;
}

export const answerMetrics = (response: ServerResponse, metrics: Scrape): void =>
  void metrics.scrape().then(
    (text) => answer(response, 200, text, metrics.contentType),
    (error: unknown) => answer(response, 500, `${String(error)}\n`),
  );

/** `url` without its query. */
export const pathOf = (url = "/"): string => url.split("?")[0] ?? "/";
