/** The answers of the HTTP API: documents, errors, or permission to begin a watch. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  encodeConfig,
  JSON_TYPE,
  LICENSE_BODY,
  notFoundBody,
  parseWatch,
  resourceAt,
  TEXT_TYPE,
  type Scope,
} from "./protocol.ts";
import { configForNode } from "./config-for-node.ts";
import type { ConfigStore, StoredConfig } from "./store.ts";

export interface ApiOptions {
  readonly store: ConfigStore;
  readonly isReady: () => boolean;
  readonly addressesOfNode: (node: string) => readonly string[];
  /** The current token; undefined: every client may read. */
  readonly token: () => string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A watch of `scope`, from `node` if the client names its node. */
export interface WatchRequest {
  readonly scope: Scope;
  readonly node?: string;
}

export type Outcome = { readonly answer: Answer } | { readonly watch: WatchRequest };

export const textAnswer = (
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({
  status,
  type: TEXT_TYPE,
  body: `${message}\n`,
  headers,
});

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

/** The document of `stored` for a dataplane on `node`; shared by all if nothing needs to be replaced. */
export const frameFor = (
  stored: StoredConfig,
  node: string | undefined,
  addressesOfNode: (node: string) => readonly string[],
): Buffer => {
  if (node === undefined) return stored.frame;
  const patched = configForNode(stored.config, node, addressesOfNode(node));
  return patched === stored.config ? stored.frame : Buffer.from(encodeConfig(patched));
};

const NEWLINE = Buffer.from("\n");

const listBody = (configs: readonly StoredConfig[]): Buffer =>
  Buffer.concat([
    Buffer.from(`{"version":"v1","items":[`),
    ...configs.flatMap(({ frame }, place) => (place === 0 ? [frame] : [Buffer.from(","), frame])),
    Buffer.from("]}\n"),
  ]);

export const createApi = ({ store, isReady, addressesOfNode, token }: ApiOptions) => {
  const isAllowed = (request: IncomingMessage): boolean => {
    const expected = token();
    // Digests have one length, so that the comparison reveals nothing about the token's.
    return (
      expected === undefined ||
      timingSafeEqual(sha256(request.headers.authorization ?? ""), sha256(`Bearer ${expected}`))
    );
  };

  const answerWith = (scope: Scope, node: string | undefined): Answer => {
    if (scope.of !== "config") return { status: 200, type: JSON_TYPE, body: listBody(store.list(scope)) };
    const stored = store.get(scope.id);
    if (stored === undefined) return { status: 404, type: JSON_TYPE, body: notFoundBody(scope.id) };
    const body = Buffer.concat([frameFor(stored, node, addressesOfNode), NEWLINE]);
    return { status: 200, type: JSON_TYPE, body };
  };

  return (request: IncomingMessage): Outcome => {
    const [path = "", query = ""] = (request.url ?? "").split(/\?(.*)/s);
    const resource = resourceAt(path);
    if (resource === undefined) return { answer: textAnswer(404, "404 page not found") };
    if (request.method !== "GET") return { answer: textAnswer(405, "Method Not Allowed", { allow: "GET" }) };
    if (!isAllowed(request))
      return { answer: textAnswer(401, "a bearer token is needed", { "www-authenticate": "Bearer" }) };
    // A standby knows no configs, and an empty list would mean that none exist. 503 instead lets a probe of any of these
    // paths remove it from the Service, and makes a client that connected nevertheless try another.
    if (!isReady()) return { answer: textAnswer(503, "this replica is a standby", { "retry-after": "1" }) };
    if (resource.resource === "license") return { answer: { status: 200, type: JSON_TYPE, body: LICENSE_BODY } };
    const { scope } = resource;
    const parameters = new URLSearchParams(query);
    const isWatch = parseWatch(parameters);
    if (isWatch === undefined)
      return { answer: textAnswer(400, "Invalid format for parameter watch: want true or false, once") };
    const node = scope.of === "config" ? parameters.get("node") || undefined : undefined;
    if (isWatch) return { watch: node === undefined ? { scope } : { scope, node } };
    return { answer: answerWith(scope, node) };
  };
};

export const send = (response: ServerResponse, { status, type, body, headers = {} }: Answer): void => {
  response.writeHead(status, {
    ...headers,
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  });
  response.end(body);
};
