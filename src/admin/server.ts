/**
 * The admin API and the page that shows it. Read-only, but for orders about users; on loopback by default. `/live`, `/ready` and `/metrics` are for
 * automated clients; paths below `/api/` require the token, if there is one.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isIP } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { machineDefinitions } from "../visualizer/definitions.ts";
import { streamLog } from "../visualizer/log-stream.ts";
import { servePage } from "../visualizer/page.ts";
import { answer, answerJson, answerMetrics, serveHttp, urlOf, type HttpEndpoint } from "../http.ts";
import { takeOrder } from "./orders.ts";
import { answerProfile } from "./profiles.ts";
import type { Running } from "./running.ts";
import { createCalmReader, trafficOf } from "../visualizer/traffic.ts";

export interface AdminBinding {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** The bearer token that `/api/` requires; undefined: none. */
  readonly token?: string;
}

export interface AdminOptions extends AdminBinding {
  /** Folder of the event log, or one file of it. */
  readonly journal: string;
  readonly running?: Running;
}

export interface AdminServer extends HttpEndpoint {
  readonly host: string;
}

const MAX_LOG_STREAMS = 16;

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

const mayAsk = ({ headers }: IncomingMessage, token: string | undefined): boolean =>
  token === undefined || timingSafeEqual(sha256(headers.authorization ?? ""), sha256(`Bearer ${token}`));

/**
 * Protects against DNS rebinding: a page of another site could resolve its name to our address, and read data of this
 * machine.
 */
const isNamedSafely = (host: string, asked = ""): boolean => {
  if (!host.startsWith("127.") && host !== "::1") return true;
  const name = asked.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return name === "localhost" || name.endsWith(".localhost") || isIP(name) !== 0;
};

const numberOf = (query: URLSearchParams, name: string): number | undefined => {
  const text = query.get(name);
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
};

/** @throws the error of `listen` if the address cannot be bound. */
export const startAdmin = async ({ host, port, token, journal, running }: AdminOptions): Promise<AdminServer> => {
  let logStreams = 0;
  const readRelay = running && createCalmReader(running.relay);

  const sendLog = async (query: URLSearchParams, response: ServerResponse): Promise<void> => {
    if (logStreams >= MAX_LOG_STREAMS) return answer(response, 503, `${MAX_LOG_STREAMS} others read the log already\n`);
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const [from, last] = [numberOf(query, "from"), numberOf(query, "last")];
    const { bytes, chunks } = streamLog(journal, {
      ...(from !== undefined && { from }),
      ...(last !== undefined && { last }),
      follow: query.has("follow"),
      signal: gone.signal,
    });
    response.writeHead(200, {
      "content-type": "application/x-ndjson; charset=utf-8",
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      "turnpike-log-bytes": bytes,
    });
    response.flushHeaders();
    logStreams += 1;
    try {
      await pipeline(Readable.from(chunks, { objectMode: true }), response);
    } finally {
      logStreams -= 1;
    }
  };

  const answerApi = async (path: string, query: URLSearchParams, response: ServerResponse): Promise<void> => {
    switch (path) {
      case "/api/v1/log":
        return sendLog(query, response);
      case "/api/v1/profile":
      case "/api/v1/heap":
        // Their contents are secret: without a token nobody gets them.
        if (token === undefined)
          return answer(response, 403, "profiles are off here: they need a token (--admin-token-file)\n");
        return answerProfile(path === "/api/v1/heap" ? "heap" : "cpu", numberOf(query, "seconds"), response);
      case "/api/v1/machines":
        return answerJson(response, machineDefinitions());
      case "/api/v1/state":
        if (running !== undefined) return answerJson(response, await running.state());
        break;
      case "/api/v1/traffic":
        if (readRelay !== undefined) {
          const question = {
            match: query.get("match") ?? "",
            show: numberOf(query, "show") ?? Infinity,
            peers: query.getAll("peer"),
          };
          return answerJson(response, trafficOf(await readRelay(), question));
        }
        break;
      default:
        return answer(
          response,
          404,
          "there are /api/v1/log, machines, state, traffic, profile, heap, and users for orders\n",
        );
    }
    return answer(response, 404, "nothing runs here; there is a log alone\n");
  };

  /** Undefined if it was none of these. */
  const answerProbe = (path: string, response: ServerResponse): Promise<void> | undefined => {
    if (running === undefined) return undefined;
    switch (path) {
      case "/live":
        return Promise.resolve(answerJson(response, {}));
      case "/ready": {
        const message = running.notReady();
        const status = message === undefined ? 200 : 503;
        return Promise.resolve(answerJson(response, { status, message: message ?? "READY" }, status));
      }
      case "/metrics":
        return answerMetrics(response, running.metrics);
      default:
        return undefined;
    }
  };

  const answerPage = async (path: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (await servePage(path, request, response)) return;
    answer(response, 404, "there are /, /call, /live, /ready, /metrics and /api/v1/…\n");
  };

  const endpoint = await serveHttp(host, port, (request, response) => {
    const { method, headers } = request;
    if (!isNamedSafely(host, headers.host)) return answer(response, 403, "ask by address, or as localhost\n");
    const url = urlOf(request);
    if (url === undefined) return answer(response, 400, "that is no URL\n");
    const { pathname: path, searchParams: query } = url;
    const isOrder = method === "POST" && path === "/api/v1/users";
    if (!isOrder && method !== "GET" && method !== "HEAD") return answer(response, 405, "only GET is answered here\n");
    if (path.startsWith("/api/") && !mayAsk(request, token)) {
      response.setHeader("www-authenticate", "Bearer");
      return answer(response, 401, "a token is asked for: Authorization: Bearer TOKEN\n");
    }
    if (isOrder) return takeOrder(request, response, token === undefined ? undefined : running?.order);
    if (path.startsWith("/api/")) return answerApi(path, query, response);
    return answerProbe(path, response) ?? answerPage(path, request, response);
  });
  return { ...endpoint, host };
};
