/** The operator's health and metrics endpoints: `/healthz`, `/readyz`, `/metrics`. */
import type { RequestListener } from "node:http";

/** @param ready why it is not ready, or nothing. */
export const probeListener =
  (ready: () => string | undefined): RequestListener =>
  ({ url = "/" }, response) => {
    const path = url.split("?")[0];
    const reason = path === "/readyz" ? ready() : path === "/healthz" ? undefined : "there are /healthz and /readyz";
    response.writeHead(reason === undefined ? 200 : path === "/readyz" ? 503 : 404, { "content-type": "text/plain" });
    response.end(`${reason ?? "ok"}\n`);
  };

export const metricsListener =
  (metrics: { readonly contentType: string; scrape(): Promise<string> }): RequestListener =>
  (_, response) =>
    void metrics.scrape().then(
      (text) => response.writeHead(200, { "content-type": metrics.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
