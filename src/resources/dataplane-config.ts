/** The config document of a dataplane (`version: v1`), as the config discovery protocol transfers it. */
import type { KubernetesObject } from "./core.ts";
import type { UserRules } from "./users.ts";
import type { ProxyVersion } from "./http-backends.ts";

export interface AdminConfig {
  /** `NAMESPACE/GATEWAY`. */
  readonly name: string;
  readonly loglevel?: string;
  readonly metrics_endpoint?: string;
  readonly healthcheck_endpoint?: string;
  readonly user_quota?: number;
  readonly offload_engine?: string;
  readonly offload_interfaces?: readonly string[];
}

export interface AuthConfig {
  readonly type: "static" | "ephemeral" | "none";
  readonly realm: string;
  /**
   * static: `username`, `password`; ephemeral: `secret`. Others that are accepted during a rotation: `password.NAME`,
   * `secret.NAME`. Digests inside the core, text at the relay.
   */
  readonly credentials: Readonly<Record<string, string>>;
}

export type ListenerProtocol = "TURN-UDP" | "TURN-TCP" | "TURN-TLS" | "TURN-DTLS";

export interface CertificateConfig {
  readonly cert: string;
  readonly key: string;
}

/** Older dataplanes ignore fields that they do not know. */
export interface ListenerConfig {
  /** `NAMESPACE/GATEWAY/LISTENER`. */
  readonly name: string;
  readonly protocol: ListenerProtocol;
  readonly public_address?: string;
  readonly public_port?: number;
  /** Of Turnpike alone: others that lead to the same port. */
  readonly more_public_addresses?: readonly string[];
  readonly address: string;
  /** Of Turnpike only: IP literals that clients receive as relayed addresses of families other than that of `address`. */
  readonly more_addresses?: readonly string[];
  readonly port: number;
  /** Base64 of PEM at the relay; inside the core a digest. */
  readonly cert?: string;
  readonly key?: string;
  /** Further certificates with their keys, as `cert` and `key`: clients get the one for the name that they ask for. */
  readonly certificates?: readonly CertificateConfig[];
  /** `HOST:PORT`: over TCP and TLS, connections that are not TURN are passed on there. */
  readonly http_backend?: string;
  /** What connections to `http_backend` begin with; `v2` by default. */
  readonly http_backend_proxy_protocol?: ProxyVersion;
  /** Cluster names. */
  readonly routes?: readonly string[];
}

export interface ClusterConfig {
  /** `NAMESPACE/ROUTE`. */
  readonly name: string;
  readonly type: "STATIC" | "STRICT_DNS";
  readonly protocol: "UDP" | "TCP";
  /** STATIC: `IP`, `IP/LEN`, either followed by `:<MIN-MAX>`; STRICT_DNS: names. */
  readonly endpoints?: readonly string[];
}

/** Another dataplane of the Gateway: a draining one sends new clients there. */
export interface AlternateConfig {
  readonly node: string;
  /** IP literals at which clients reach the node, the ports being those of the listeners; at most one of each family. */
  readonly addresses: readonly string[];
}

export interface DataplaneConfig {
  readonly version: "v1";
  readonly admin: AdminConfig;
  readonly auth: AuthConfig;
  readonly listeners?: readonly ListenerConfig[];
  readonly clusters?: readonly ClusterConfig[];
  /** Of Turnpike alone: users that are blocked, or were sent away. */
  readonly users?: UserRules;
  /** Of Turnpike alone, sorted by node. A dataplane that names its node receives the others. */
  readonly alternates?: readonly AlternateConfig[];
}

/** A config that a dataplane received, in the form of an object: its name is the Gateway's. */
export interface ReceivedConfig extends KubernetesObject {
  readonly apiVersion: "turnpike/v1";
  readonly kind: "DataplaneConfig";
  readonly spec: DataplaneConfig;
  /** Until when the certificates of its listeners are valid (RFC 3339; of several, the first end), as far as they can be read. */
  readonly certificates?: readonly { readonly listener: string; readonly notAfter: string }[];
}
