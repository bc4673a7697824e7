/** What the API server was asked by clients of this process, and what of it was forbidden. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";

/** `VERB GROUP/RESOURCE`, as a rule of a role has it. */
export type Right = string;

interface Answered {
  readonly request: { readonly method: string; readonly path: string; readonly headers: unknown };
  readonly response: { readonly statusCode: number };
}

const CHANNEL = "undici:request:headers";
const PATH =
  /^\/(?:api|apis\/(?<group>[^/]+))\/v[^/]+(?:\/namespaces\/[^/]+(?=\/\w))?\/(?<resource>[^/]+)(?:\/(?<name>[^/]+)(?:\/(?<sub>[^/]+))?)?$/;

export const rightOf = (method: string, url: string): Right | undefined => {
  const { pathname, searchParams } = new URL(url, "https://api");
  const { group = "", resource, name, sub } = PATH.exec(pathname)?.groups ?? {};
  if (resource === undefined) return undefined;
  const verbs: Readonly<Record<string, string>> = {
    GET: name !== undefined ? "get" : searchParams.get("watch") === "true" ? "watch" : "list",
    POST: "create",
    PUT: "update",
    PATCH: "patch",
    DELETE: "delete",
  };
  return `${verbs[method]} ${group}/${resource}${sub === undefined ? "" : `/${sub}`}`;
};

export interface Refusals {
  /** Rights that requests were granted by. */
  readonly used: ReadonlySet<Right>;
  /** Rights that requests lacked. */
  readonly lacked: ReadonlySet<Right>;
  clear(): void;
  stop(): void;
}

/** @param token of whose requests it is about: all clients of this process are heard. */
export const watchRefusals = (token: () => string): Refusals => {
  const used = new Set<Right>();
  const lacked = new Set<Right>();
  const note = (message: unknown): void => {
    const { request, response } = message as Answered;
    const right = rightOf(request.method, request.path);
    if (right === undefined || !JSON.stringify(request.headers).includes(token())) return;
    (response.statusCode === 403 ? lacked : used).add(right);
  };
  subscribe(CHANNEL, note);
  return {
    used,
    lacked,
    clear() {
      used.clear();
      lacked.clear();
    },
    stop: () => unsubscribe(CHANNEL, note),
  };
};
