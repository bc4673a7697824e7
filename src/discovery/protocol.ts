/**
 * The config discovery protocol: its paths, documents and errors on the wire. STUNner's dataplanes, `stunnerctl` and
 * authentication service use it; so do ours.
 */
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { DEFAULT_LOG_LEVEL, DEFAULT_REALM } from "../resources/names.ts";

/** The payload of a client's pings and of all pongs of the server. */
export const KEEPALIVE = "keepalive";
export const JSON_TYPE = "application/json";
export const TEXT_TYPE = "text/plain; charset=utf-8";
/** There is no paid tier; clients ask nevertheless. */
export const LICENSE_BODY = `{"enabledFeatures":[],"subscriptionType":"free","lastUpdated":"N/A","lastError":""}\n`;

const CONFIGS_PATH = "/api/v1/configs";
export const LICENSE_PATH = "/api/v1/license";

/** The requested configs; `id` is `NAMESPACE/NAME`. */
export type Scope =
  | { readonly of: "all" }
  | { readonly of: "namespace"; readonly namespace: string }
  | { readonly of: "config"; readonly id: string };

export type Resource = { readonly resource: "license" } | { readonly resource: "configs"; readonly scope: Scope };

/** The two parts of `NAMESPACE/NAME`; undefined if `id` does not have that form. */
export const partsOf = (id: string): { readonly namespace: string; readonly name: string } | undefined => {
  const [namespace, name, ...more] = id.split("/");
  return namespace && name && more.length === 0 ? { namespace, name } : undefined;
};

export const pathOf = (scope: Scope): string => {
  if (scope.of === "all") return CONFIGS_PATH;
  const parts = scope.of === "namespace" ? [scope.namespace] : scope.id.split("/");
  return [CONFIGS_PATH, ...parts.map(encodeURIComponent)].join("/");
};

/** The scope that `path` (without a query) requests; undefined if the API has no such path. */
export const resourceAt = (path: string): Resource | undefined => {
  if (path === LICENSE_PATH) return { resource: "license" };
  if (path === CONFIGS_PATH) return { resource: "configs", scope: { of: "all" } };
  if (!path.startsWith(`${CONFIGS_PATH}/`)) return undefined;
  let parts: readonly string[];
  try {
    parts = path
      .slice(CONFIGS_PATH.length + 1)
      .split("/")
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
  const [namespace, name] = parts;
  if (parts.some((part) => part === "" || part.includes("/")) || parts.length > 2 || !namespace) return undefined;
  const scope: Scope = name ? { of: "config", id: `${namespace}/${name}` } : { of: "namespace", namespace };
  return { resource: "configs", scope };
};

const booleans: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...["1", "t", "T", "TRUE", "true", "True"].map((word) => [word, true] as const),
  ...["0", "f", "F", "FALSE", "false", "False"].map((word) => [word, false] as const),
]);

/** Whether `watch` is requested; undefined if the parameter is malformed, empty or repeated. */
export const parseWatch = (query: URLSearchParams): boolean | undefined => {
  const [value, ...more] = query.getAll("watch");
  if (value === undefined) return false;
  return more.length === 0 && Object.hasOwn(booleans, value) ? booleans[value] : undefined;
};

export const notFoundBody = (id: string): string =>
  `${goJson({ code: 404, message: `Config not found for ID ${id}` })}\n`;

/** JSON as Go writes it: safe in HTML and JavaScript. */
const goJson = (value: unknown): string =>
  JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** `undefined`, which JSON omits, for values that are empty in Go. */
const unlessEmpty = <T extends string | number | readonly unknown[]>(value: T | undefined): T | undefined =>
  value === undefined || value === "" || value === 0 || (Array.isArray(value) && value.length === 0)
    ? undefined
    : value;

/**
 * The document of `config` on the wire, always the same for the same config: fields in STUNner's order, those that STUNner
 * does not know after them, empty optional ones omitted. An empty `healthcheck_endpoint` is not omitted: it disables the health check.
 */
export const encodeConfig = ({
  version,
  admin,
  auth,
  listeners,
  clusters,
  users,
  alternates,
}: DataplaneConfig): string =>
  goJson({
    version,
    admin: {
      name: admin.name,
      loglevel: unlessEmpty(admin.loglevel),
      metrics_endpoint: unlessEmpty(admin.metrics_endpoint),
      healthcheck_endpoint: admin.healthcheck_endpoint,
      user_quota: unlessEmpty(admin.user_quota),
      offload_engine: unlessEmpty(admin.offload_engine),
      offload_interfaces: unlessEmpty(admin.offload_interfaces),
    },
    auth: {
      type: auth.type,
      realm: auth.realm,
      credentials: Object.fromEntries(Object.entries(auth.credentials).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    },
    listeners: unlessEmpty(
      listeners?.map((listener) => ({
        name: listener.name,
        protocol: listener.protocol,
        public_address: unlessEmpty(listener.public_address),
        public_port: unlessEmpty(listener.public_port),
        more_public_addresses: unlessEmpty(listener.more_public_addresses),
        address: listener.address,
        port: listener.port,
        cert: unlessEmpty(listener.cert),
        key: unlessEmpty(listener.key),
        routes: unlessEmpty(listener.routes),
        certificates: unlessEmpty(listener.certificates?.map(({ cert, key }) => ({ cert, key }))),
        http_backend: unlessEmpty(listener.http_backend),
        http_backend_proxy_protocol: unlessEmpty(listener.http_backend_proxy_protocol),
        more_addresses: unlessEmpty(listener.more_addresses),
      })),
    ),
    clusters: unlessEmpty(
      clusters?.map(({ name, type, protocol, endpoints }) => ({
        name,
        type,
        protocol,
        endpoints: unlessEmpty(endpoints),
      })),
    ),
    // STUNner's dataplanes ignore these.
    users,
    alternates: unlessEmpty(alternates?.map(({ node, addresses }) => ({ node, addresses }))),
  });

const ZERO_CREDENTIALS = { password: "dummy-password", username: "dummy-username" } as const;

/** The document of a removed config: watchers of `id` receive it when the Gateway is deleted. */
export const zeroConfig = (id: string): DataplaneConfig => ({
  version: "v1",
  admin: { name: id },
  auth: { type: "static", realm: DEFAULT_REALM, credentials: ZERO_CREDENTIALS },
});

/** Whether `config` says that its Gateway was removed. Defaults that a receiver adds do not matter. */
export const isZeroConfig = ({ admin, auth, listeners = [], clusters = [] }: DataplaneConfig): boolean =>
  listeners.length === 0 &&
  clusters.length === 0 &&
  auth.type === "static" &&
  auth.realm === DEFAULT_REALM &&
  Object.keys(auth.credentials).length === 2 &&
  auth.credentials["username"] === ZERO_CREDENTIALS.username &&
  auth.credentials["password"] === ZERO_CREDENTIALS.password &&
  (admin.loglevel || DEFAULT_LOG_LEVEL) === DEFAULT_LOG_LEVEL &&
  (admin.healthcheck_endpoint ?? "http://:8086") === "http://:8086" &&
  (admin.offload_engine || "None") === "None" &&
  !admin.metrics_endpoint &&
  !admin.user_quota &&
  (admin.offload_interfaces ?? []).length === 0;
