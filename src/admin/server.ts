/** The admin API: `/live`, `/ready`, `/metrics`, `/api/v1/state`. Read-only; on loopback unless told otherwise. */
import { answer, answerJson, answerMetrics, pathOf, serveHttp, type Endpoint, type Scrape } from "./http.ts";
import type { ProgramState } from "./state.ts";

export interface AdminOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly state: () => Promise<ProgramState>;
  readonly ready: () => { readonly ready: boolean; readonly message: string };
  readonly metrics: Scrape;
}

export interface AdminServer extends Endpoint {
  readonly host: string;
}

/** @throws the error of `listen` when the address cannot be bound. */
export const startAdmin = async (options: AdminOptions): Promise<AdminServer> => {
  const endpoint = await serveHttp(options.host, options.port, ({ method, url }, response) => {
    if (method !== "GET" && method !== "HEAD") return answer(response, 405, "only GET is answered here\n");
    switch (pathOf(url)) {
      case "/live":
        return answerJson(response, {});
      case "/ready": {
        const { ready, message } = options.ready();
        const status = ready ? 200 : 503;
        return answerJson(response, { status, message }, status);
      }
      case "/metrics":
        return answerMetrics(response, options.metrics);
      case "/api/v1/state":
        void options.state().then(
          (state) => answerJson(response, state),
          (error: unknown) => answer(response, 500, `${String(error)}\n`),
        );
        return undefined;
      default:
        return answer(response, 404, "there are /live, /ready, /metrics and /api/v1/state\n");
    }
  });
  return { ...endpoint, host: options.host };
};
