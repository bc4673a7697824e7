/** A config document: validation, and the difference from the active one. */
import { TurnpikeError } from "../errors.ts";
import type {
  AlternateConfig,
  AuthConfig,
  DataplaneConfig,
  ListenerConfig,
  ListenerProtocol,
} from "../resources/dataplane-config.ts";
import type { UserRules } from "../resources/users.ts";
import type { Admission } from "../admission/admission.ts";
import type { AdmittedCluster } from "../admission/transition.ts";
import { parseEndpoint } from "../net/endpoint.ts";
import { parseIp } from "../net/ip.ts";
import { parseHostPort } from "../net/host-port.ts";
import { proxyVersions } from "../resources/http-backends.ts";
import { isFurther, MAX_FURTHER_CREDENTIALS } from "../resources/names.ts";
import { offloadEngines, type OffloadWish } from "./offload/wish.ts";

/** What the relay keeps of a cluster. */
export interface Cluster extends Pick<AdmittedCluster, "name" | "protocol" | "endpoints"> {
  readonly type: "STATIC" | "STRICT_DNS";
}

/** A config with defaults filled in and names in canonical form. */
export interface RelayConfig {
  readonly name: string;
  /** Allocations a user may hold; 0 is unlimited. */
  readonly userQuota: number;
  readonly auth: AuthConfig;
  readonly offload: OffloadWish;
  readonly listeners: readonly ListenerConfig[];
  readonly clusters: readonly Cluster[];
  /** Checked by who read the document. */
  readonly users?: UserRules;
  /** Other dataplanes of the gateway. */
  readonly alternates: readonly AlternateConfig[];
}

declare const valid: unique symbol;
/** A config that `parseConfig` has validated: no later code validates it again. */
export type ValidConfig = RelayConfig & { readonly [valid]: true };

const refuse = (message: string): never => {
  throw new TurnpikeError("config-invalid", message);
};

const oneOf = <T extends string>(what: string, value: unknown, allowed: readonly T[], fallback: T): T => {
  if (value === undefined || value === "") return fallback;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return allowed.find((candidate) => candidate === text.toUpperCase()) ?? refuse(`unknown ${what}: "${text}"`);
};

const authTypes: Readonly<Record<string, AuthConfig["type"]>> = {
  static: "static",
  plaintext: "static",
  ephemeral: "ephemeral",
  longterm: "ephemeral",
  none: "none",
};

const parseAuth = (auth: DataplaneConfig["auth"] | undefined): AuthConfig => {
  const name: string = auth?.type || "static";
  const type = Object.hasOwn(authTypes, name) ? authTypes[name] : undefined;
  if (type === undefined) return refuse(`unknown authentication type: "${name}"`);
  const credentials = auth?.credentials ?? {};
  const has = (key: string): boolean => typeof credentials[key] === "string";
  if (type === "static" && !(has("username") && has("password"))) refuse("auth: empty username or password");
  if (type === "ephemeral" && !has("secret")) refuse("auth: cannot handle ephemeral authentication without a secret");
  for (const key of ["secret", "password"] as const) {
    const further = Object.keys(credentials).filter((name) => isFurther(key, name));
    for (const name of further) if (!has(name)) refuse(`auth: ${name} is not a string`);
    if (further.length > MAX_FURTHER_CREDENTIALS)
      refuse(`auth: more than ${MAX_FURTHER_CREDENTIALS} credentials that begin with "${key}."`);
  }
  const realm = auth?.realm || "stunner.l7mp.io";
  // RFC 8489 §14.9: fewer than 128 characters.
  if (Buffer.byteLength(realm) > 763) refuse("auth: the realm is longer than 763 bytes");
  return { type, realm, credentials };
};

const protocols: readonly ListenerProtocol[] = ["TURN-UDP", "TURN-TCP", "TURN-TLS", "TURN-DTLS"];

/** A backend that connections are passed on to, and the PROXY header before them. */
const parseBackend = (listener: ListenerConfig, protocol: ListenerProtocol) => {
  const { name, http_backend: backend, http_backend_proxy_protocol: version } = listener;
  if (!backend) return {};
  if (protocol !== "TURN-TCP" && protocol !== "TURN-TLS")
    refuse(`listener ${name}: http_backend needs TURN-TCP or TURN-TLS, not ${protocol}`);
  if (parseHostPort(backend)?.port === undefined) refuse(`listener ${name}: http_backend: expected HOST:PORT`);
  const known = version === undefined || (version as string) === "" || proxyVersions.includes(version);
  if (!known) refuse(`listener ${name}: http_backend_proxy_protocol: expected ${proxyVersions.join(", ")}`);
  return { http_backend: backend, http_backend_proxy_protocol: version || "v2" };
};

const parseCertificates = ({ name, cert, certificates = [] }: ListenerConfig): void => {
  if (!Array.isArray(certificates)) refuse(`listener ${name}: certificates is no list`);
  if (certificates.length > 0 && !cert) refuse(`listener ${name}: certificates without cert, the first one`);
  for (const [place, one] of certificates.entries())
    if (!one.cert || !one.key) refuse(`listener ${name}: certificates[${place}] has no cert or no key`);
};

const parseListener = (listener: ListenerConfig): ListenerConfig => {
  if (!listener.name) return refuse("listener: missing name");
  // `UDP` is documented to mean `TURN-UDP`.
  const written: unknown = listener.protocol;
  const bare = typeof written === "string" && /^(udp|tcp|tls|dtls)$/i.test(written) ? `TURN-${written}` : written;
  const protocol = oneOf(`listener protocol of ${listener.name}`, bare, protocols, "TURN-UDP");
  const port = listener.port || 3478;
  if (!Number.isInteger(port) || port < 1 || port > 65535) refuse(`listener ${listener.name}: invalid port: ${port}`);
  const routes = [...new Set(listener.routes)].toSorted();
  parseCertificates(listener);
  const unknown = listener.more_addresses?.find((address) => parseIp(address) === undefined);
  if (unknown !== undefined)
    refuse(`listener ${listener.name}: more_addresses: ${JSON.stringify(unknown)} is no IP address`);
  const { http_backend: _, http_backend_proxy_protocol: __, ...rest } = listener;
  const backend = parseBackend(listener, protocol);
  return { ...rest, ...backend, protocol, port, address: listener.address || "0.0.0.0", routes };
};

const parseCluster = (cluster: NonNullable<DataplaneConfig["clusters"]>[number]): Cluster => {
  if (!cluster.name) return refuse("cluster: missing name");
  const type = oneOf(`type of cluster ${cluster.name}`, cluster.type, ["STATIC", "STRICT_DNS"], "STATIC");
  const protocol = oneOf(`protocol of cluster ${cluster.name}`, cluster.protocol, ["UDP", "TCP"], "UDP");
  const endpoints = [...new Set(cluster.endpoints)];
  return { name: cluster.name, type, protocol, endpoints };
};

const parseAlternate = ({ node, addresses }: AlternateConfig, place: number): AlternateConfig => {
  if (!Array.isArray(addresses) || addresses.length === 0) refuse(`alternates[${place}]: missing addresses`);
  for (const address of addresses)
    if (parseIp(address) === undefined) refuse(`alternates[${place}]: ${JSON.stringify(address)} is not an IP address`);
  return { node: node || "", addresses };
};

const unique = (what: string, names: readonly string[]): void => {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) refuse(`${what} ${name} is there twice`);
    seen.add(name);
  }
};

/**
 * Checks `config` and fills in defaults. `admitted` are the active endpoints, which are not checked again.
 * @throws TurnpikeError `config-invalid`, with what is wrong and where.
 */
export const parseConfig = (config: DataplaneConfig, admitted?: Admission): ValidConfig => {
  const version: unknown = config?.version;
  if (version !== "v1") refuse(`unsupported API version: "${String(version)}"`);
  if (config.listeners && !Array.isArray(config.listeners)) refuse("listeners is no list");
  if (config.clusters && !Array.isArray(config.clusters)) refuse("clusters is no list");
  if (config.alternates && !Array.isArray(config.alternates)) refuse("alternates is no list");
  const listeners = (config.listeners ?? []).map(parseListener);
  const clusters = (config.clusters ?? []).map(parseCluster);
  for (const { name, type, endpoints } of clusters) {
    if (type !== "STATIC") continue;
    const known = admitted?.endpoints(name);
    for (const endpoint of endpoints) {
      if (known?.has(endpoint) === true) continue;
      const given: unknown = endpoint;
      if (typeof given !== "string" || parseEndpoint(given) === undefined)
        refuse(
          `cluster ${name}: ${JSON.stringify(given)} is no endpoint: want IP or IP/LEN, with :<MIN-MAX> behind or not`,
        );
    }
  }
  unique(
    "listener",
    listeners.map(({ name }) => name),
  );
  unique(
    "cluster",
    clusters.map(({ name }) => name),
  );
  const parsed: RelayConfig = {
    name: config.admin?.name || "default-stunnerd",
    userQuota: Math.max(0, config.admin?.user_quota ?? 0),
    auth: parseAuth(config.auth),
    offload: {
      engine: oneOf("offload mode", config.admin?.offload_engine, offloadEngines, "NONE"),
      interfaces: [...new Set(config.admin?.offload_interfaces)].toSorted(),
    },
    listeners,
    clusters,
    ...(config.users === undefined ? {} : { users: config.users }),
    alternates: (config.alternates ?? []).map(parseAlternate),
  };
  return parsed as ValidConfig;
};

export interface ListenerStep {
  readonly listener: ListenerConfig;
  readonly step: "start" | "stop" | "restart" | "update" | "keep";
}

const sameSet = (a: readonly string[] = [], b: readonly string[] = []): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

type Certificates = Pick<ListenerConfig, "cert" | "key" | "certificates">;

export const sameCertificates = (a: Certificates, b: Certificates): boolean => {
  const [one, other] = [a, b].map(({ cert, key, certificates = [] }) => [{ cert, key }, ...certificates]);
  return (
    one?.length === other?.length &&
    (one ?? []).every(({ cert, key }, place) => cert === other?.[place]?.cert && key === other?.[place]?.key)
  );
};

/** A listener restarts only for a change that RFC 8656 cannot carry over. */
const stepFor = (next: ListenerConfig, before: ListenerConfig | undefined): ListenerStep => {
  if (before === undefined) return { listener: next, step: "start" };
  if (before.protocol !== next.protocol || before.port !== next.port || before.address !== next.address)
    return { listener: next, step: "restart" };
  // Its sockets are bound otherwise.
  if (!sameSet(before.more_addresses, next.more_addresses)) return { listener: next, step: "restart" };
  const same =
    sameSet(before.routes, next.routes) &&
    before.public_address === next.public_address &&
    before.public_port === next.public_port &&
    sameSet(before.more_public_addresses, next.more_public_addresses) &&
    sameCertificates(before, next) &&
    before.http_backend === next.http_backend &&
    before.http_backend_proxy_protocol === next.http_backend_proxy_protocol;
  return { listener: next, step: same ? "keep" : "update" };
};

/** The action for each listener, removed ones first. A listener in `failed` (by name) is started again. */
export const listenerSteps = (
  before: readonly ListenerConfig[],
  next: readonly ListenerConfig[],
  failed: ReadonlyMap<string, string> = new Map(),
): readonly ListenerStep[] => {
  const stays = new Set(next.map(({ name }) => name));
  const old = new Map(before.filter(({ name }) => !failed.has(name)).map((listener) => [listener.name, listener]));
  return [
    ...before.filter(({ name }) => !stays.has(name)).map((listener): ListenerStep => ({ listener, step: "stop" })),
    ...next.map((listener) => stepFor(listener, old.get(listener.name))),
  ];
};
