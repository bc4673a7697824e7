/** An API server over HTTP: a kubeconfig's address and credentials, plain requests, and streams for watching. */
import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { Agent, request as send, type Dispatcher } from "undici";
import { messageOf } from "../errors.ts";

export interface Request {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From the root: `/api/v1/…`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /**
   * Milliseconds until a request without a complete answer fails; the connection's by default. For a stream, until the
   * first byte.
   */
  readonly timeoutMs?: number;
}

/** The API server rejected the request, or could not be reached (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  /** Kubernetes' machine-readable reason: `NotFound`, `Conflict`, `Expired`, … */
  readonly reason: string;
  /** Pause that the server requests, in ms. */
  readonly retryAfterMs: number | undefined;
  /** Paths of invalid fields, `status.addresses[0].value`, if the server names them. */
  readonly fields: readonly string[];

  constructor(status: number, reason: string, message: string, retryAfterMs?: number, fields: readonly string[] = []) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.fields = fields;
  }
}

/** For `catch`: a missing object is undefined. */
export const orAbsent = (error: unknown): undefined => {
  if (error instanceof ApiError && error.status === 404) return undefined;
  throw error;
};

export interface Api {
  /** @throws ApiError */
  json<T>(request: Request): Promise<T>;
  /** The body of a 200, as a stream. @throws ApiError */
  stream(request: Request): Promise<Readable>;
  /** Requests made, by method. */
  readonly requests: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

export interface ApiConnection {
  /** `https://HOST:PORT`. */
  readonly server: string;
  readonly tls: {
    readonly ca?: string | Buffer;
    readonly cert?: string | Buffer;
    readonly key?: string | Buffer;
    readonly rejectUnauthorized?: boolean;
  };
  /** Headers with the current credentials: tokens are renewed on disk. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** Timeout of requests that set none; 30,000 by default. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;

/** A `Status` of the API. */
interface Answer {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly field?: string }[] };
}

const asError = (status: number, headers: IncomingHttpHeaders, text: string): ApiError => {
  const after = Number(headers["retry-after"]);
  const retryAfterMs = Number.isFinite(after) ? after * 1000 : undefined;
  try {
    const { reason = "", message = "", details } = JSON.parse(text) as Answer;
    const fields = (details?.causes ?? []).flatMap(({ field }) => field ?? []);
    return new ApiError(status, reason, message || `the API server answered ${status}`, retryAfterMs, fields);
  } catch {
    return new ApiError(status, "", `the API server answered ${status}: ${text.slice(0, 200)}`, retryAfterMs);
  }
};

const unreachable = (error: unknown): ApiError => new ApiError(0, "Unreachable", messageOf(error));

export const createApi = (connection: ApiConnection): Api => {
  const dispatcher = new Agent({
    connect: { ...connection.tls, timeout: 10_000 },
    // Each watch and request uses a separate connection. In HTTP/2 all would share one, and an API server that rejects one
    // of them as unauthorized ends it (GOAWAY) for all.
    allowH2: false,
    // Quiet watches are normal; their reader has a separate liveness timer.
    bodyTimeout: 0,
    keepAliveTimeout: 30_000,
  });
  const { timeoutMs: usualTimeoutMs = DEFAULT_TIMEOUT_MS } = connection;
  const requests: Record<string, number> = {};

  const open = async (request: Request): Promise<Dispatcher.ResponseData> => {
    const {
      method = "GET",
      path,
      query = {},
      body,
      contentType = "application/json",
      signal,
      timeoutMs = usualTimeoutMs,
    } = request;
    const url = new URL(path, connection.server);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    requests[method] = (requests[method] ?? 0) + 1;
    try {
      return await send(url, {
        method,
        dispatcher,
        headersTimeout: timeoutMs,
        headers: {
          accept: "application/json",
          ...(await connection.headers()),
          ...(body === undefined ? {} : { "content-type": contentType }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (signal?.aborted === true) throw error;
      throw unreachable(error);
    }
  };

  /** A deadline for the whole request: a server may accept the connection, or begin its answer, and then stop. */
  const whole = async (
    request: Request,
  ): Promise<{ readonly answer: Dispatcher.ResponseData; readonly text: string }> => {
    const { timeoutMs = usualTimeoutMs, signal: given } = request;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const signal = given === undefined ? late.signal : AbortSignal.any([given, late.signal]);
    try {
      const answer = await open({ ...request, signal });
      return { answer, text: await answer.body.text() };
    } catch (error) {
      if (given?.aborted === true || error instanceof ApiError) throw error;
      throw unreachable(late.signal.aborted ? late.signal.reason : error);
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    requests,
    async json<T>(request: Request) {
      const {
        answer: { statusCode, headers },
        text,
      } = await whole(request);
      if (statusCode >= 300) throw asError(statusCode, headers, text);
      try {
        return JSON.parse(text) as T;
      } catch {
        // It may be half of a list of Secrets, so it is not quoted.
        throw new ApiError(0, "Malformed", `the API server answered what is not JSON, ${text.length} characters`);
      }
    },
    async stream(request) {
      const { statusCode, headers, body } = await open(request);
      if (statusCode >= 300) throw asError(statusCode, headers, await body.text());
      return body;
    },
    close: () => dispatcher.destroy(),
  };
};
