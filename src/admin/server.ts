/** The admin API: `/live`, `/ready`, `/metrics`, `/api/v1/state`. Read-only; on loopback unless told otherwise. */
import type { ServerResponse } from "node:http";
import { serveHttp, type Endpoint } from "./http.ts";
import type { ProgramState } from "./state.ts";

export interface AdminOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly state: () => ProgramState;
  readonly ready: () => { readonly ready: boolean; readonly message: string };
  readonly metrics: { readonly contentType: string; scrape(): Promise<string> };
}

export interface AdminServer extends Endpoint {
  readonly host: string;
}

const JSON_TYPE = "application/json; charset=utf-8";

const send = (response: ServerResponse, code: number, type: string, body: string): void => {
  response.writeHead(code, { "content-type": type, "x-content-type-options": "nosniff", "cache-control": "no-store" });
  response.end(body);
};

/** @throws the error of `listen` when the address cannot be bound. */
export const startAdmin = async (options: AdminOptions): Promise<AdminServer> => {
  const endpoint = await serveHttp(options.host, options.port, (request, response) => {
    const path = (request.url ?? "/").split("?")[0];
    if (request.method !== "GET" && request.method !== "HEAD")
      return send(response, 405, "text/plain", "only GET is answered here\n");
    switch (path) {
      case "/live":
        return send(response, 200, JSON_TYPE, "{}\n");
      case "/ready": {
        const { ready, message } = options.ready();
        const status = ready ? 200 : 503;
        return send(response, status, JSON_TYPE, `${JSON.stringify({ status, message })}\n`);
      }
      case "/metrics":
        void options.metrics.scrape().then(
          (text) => send(response, 200, options.metrics.contentType, text),
          (error: unknown) => send(response, 500, "text/plain", `${String(error)}\n`),
        );
        return undefined;
      case "/api/v1/state":
        return send(response, 200, JSON_TYPE, `${JSON.stringify(options.state())}\n`);
      default:
        return send(response, 404, "text/plain", "there are /live, /ready, /metrics and /api/v1/state\n");
    }
  });
  return { ...endpoint, host: options.host };
};
