/** STUNner's authentication service: credentials over HTTP, from the configs of a discovery server. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { TokenBucket } from "../dataplane/token-bucket.ts";
import { serveHttp, type HttpEndpoint } from "../http.ts";
import { release } from "../release.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import type { Identify, Identity } from "./oidc.ts";
import { openApi } from "./openapi.ts";
import { DEFAULT_TTL_SECONDS, iceConfigOf, turnAuthOf, type AuthQuery } from "./turn-auth.ts";

export interface AuthServiceOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** All known configs. */
  readonly configs: () => readonly DataplaneConfig[];
  /** Of every listener, unless a request sets another. */
  readonly publicAddress?: string | undefined;
  /** The token that requests must send as `Authorization: Bearer`. */
  readonly token?: string | undefined;
  /** Judges the bearer token of an identity provider: credentials are for its user, and expire with it. */
  readonly identify?: Identify | undefined;
  /** Requests a second of one client. */
  readonly requestsPerSecond?: number | undefined;
  readonly report?: (asked: Answered) => void;
}

/** Log entry of a request. It contains no secret and no user name. */
export interface Answered {
  readonly client: string;
  readonly path: string;
  readonly status: number;
}

export type AuthService = HttpEndpoint;

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const JSON_TYPE = "application/json; charset=UTF-8";
const TEXT_TYPE = "text/plain; charset=utf-8";
/** Maximum number of clients that are counted; beyond it, counting starts anew. */
const MOST_CLIENTS = 10_000;

const refuse = (status: number, why: string, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  body: why,
  headers,
});
const give = (value: unknown): Answer => ({ status: 200, body: `${JSON.stringify(value)}\n`, type: JSON_TYPE });

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

/** @returns undefined if `ttl` is malformed. */
const queryOf = (parameters: URLSearchParams, publicAddress: string | undefined): AuthQuery | undefined => {
  const ttl = parameters.get("ttl");
  if (ttl !== null && (!/^[+-]?\d+$/.test(ttl) || !Number.isSafeInteger(Number(ttl)))) return undefined;
  const given = (name: string): string | undefined => parameters.get(name) ?? undefined;
  return {
    username: given("username"),
    ttlSeconds: ttl === null ? DEFAULT_TTL_SECONDS : Number(ttl),
    namespace: given("namespace"),
    gateway: given("gateway"),
    listener: given("listener"),
    publicAddress: given("public-addr") || publicAddress || undefined,
  };
};

/** Credentials for the user of a token, which are valid no longer than it. */
const limited = (query: AuthQuery | undefined, who: Identity | undefined): AuthQuery | undefined => {
  if (query === undefined || who === undefined) return query;
  const left = Math.floor((who.expiresAt - Date.now()) / 1000);
  return { ...query, username: who.user, ttlSeconds: Math.min(query.ttlSeconds, Math.max(0, left)) };
};

/** @throws the error of `listen` if the address cannot be bound. */
export const startAuthService = async (options: AuthServiceOptions): Promise<AuthService> => {
  const { configs, publicAddress, token, identify, requestsPerSecond, report = () => undefined } = options;
  const buckets = new Map<string, TokenBucket>();
  const description = `${JSON.stringify(openApi(release), undefined, 2)}\n`;

  const mayAsk = (client: string): boolean => {
    if (requestsPerSecond === undefined) return true;
    let bucket = buckets.get(client);
    if (bucket === undefined) {
      if (buckets.size >= MOST_CLIENTS) buckets.clear();
      buckets.set(client, (bucket = new TokenBucket(requestsPerSecond, requestsPerSecond)));
    }
    return bucket.take(performance.now());
  };

  const answerTurn = (parameters: URLSearchParams, who: Identity | undefined): Answer => {
    const service = parameters.get("service");
    if (service === null || service === "") return refuse(400, "Query argument service is required, but not found");
    const query = limited(queryOf(parameters, publicAddress), who);
    if (query === undefined) return refuse(400, "Invalid format for parameter ttl: expected a whole number");
    const known = configs();
    if (known.length === 0) return refuse(500, "no STUNner configuration available");
    if (service !== "turn")
      return refuse(400, `could not generate TURN auth token: invalid service type: ${JSON.stringify(service)}`);
    for (const config of known) {
      const auth = turnAuthOf(config, query, Date.now());
      if (auth !== undefined) return give(auth);
    }
    return refuse(404, "could not generate TURN auth token: no valid listener found");
  };

  const answerIce = (parameters: URLSearchParams, who: Identity | undefined): Answer => {
    const query = limited(queryOf(parameters, publicAddress), who);
    if (query === undefined) return refuse(400, "Invalid format for parameter ttl: expected a whole number");
    const known = configs();
    if (known.length === 0) return refuse(500, "no STUNner configuration available");
    const service = parameters.get("service") ?? "";
    if (service !== "turn")
      return refuse(400, `could not generate ICE auth token: invalid service type: ${JSON.stringify(service)}`);
    const auths = known.flatMap((config) => turnAuthOf(config, query, Date.now()) ?? []);
    if (auths.length === 0) return refuse(404, "could not generate ICE config: no valid listener found");
    return give(iceConfigOf(auths, parameters.get("iceTransportPolicy") || undefined));
  };

  const answer = async ({ method, headers }: IncomingMessage, url: URL, client: string): Promise<Answer> => {
    const { pathname: path, searchParams: parameters } = url;
    if (path !== "/" && path !== "/ice" && path !== "/openapi.json")
      return refuse(404, "there are /, /ice and /openapi.json");
    if (method !== "GET") return refuse(405, "only GET is answered here", { allow: "GET" });
    if (!mayAsk(client)) return refuse(429, "too many requests", { "retry-after": "1" });
    if (path === "/openapi.json") return { status: 200, body: description, type: JSON_TYPE };
    // Digests have one length, so that the comparison reveals nothing about the token's.
    if (token !== undefined && !timingSafeEqual(sha256(headers.authorization ?? ""), sha256(`Bearer ${token}`)))
      return refuse(401, "a bearer token is needed", { "www-authenticate": "Bearer" });
    const identified = await identify?.(headers.authorization);
    if (identified?.ok === false)
      return refuse(
        identified.status,
        identified.why,
        identified.status === 401 ? { "www-authenticate": "Bearer" } : {},
      );
    const who = identified?.who;
    const asked = parameters.get("username");
    if (who !== undefined && asked !== null && asked !== who.user)
      return refuse(403, `the token is of another user than ${JSON.stringify(asked)}`);
    return path === "/" ? answerTurn(parameters, who) : answerIce(parameters, who);
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const client = request.socket.remoteAddress ?? "?";
    const written = `http://service${request.url?.startsWith("/") === true ? "" : "/"}${request.url ?? ""}`;
    const url = URL.canParse(written) ? new URL(written) : new URL("http://service/unknown");
    const { status, body, type = TEXT_TYPE, headers = {} } = await answer(request, url, client);
    response.writeHead(status, {
      ...headers,
      "content-type": type,
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
    response.end(body);
    report({ client, path: url.pathname, status });
  };

  return serveHttp(options.host, options.port, serve, { requestTimeout: 10_000, headersTimeout: 10_000 });
};
