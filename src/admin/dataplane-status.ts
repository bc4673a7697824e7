/**
 * `/status` of a dataplane: the running config and its traffic, in the structure and the JSON types that STUNner's tools
 * decode. It contains no secrets.
 */
import { canonicalEndpoint } from "../net/endpoint.ts";
import { openAllocations, type RelaySummary } from "../dataplane/relay.ts";
import type {
  AdminConfig,
  AuthConfig,
  ClusterConfig,
  DataplaneConfig,
  ListenerConfig,
} from "../resources/dataplane-config.ts";
import { DEFAULT_LOG_LEVEL } from "../resources/names.ts";
import { compareText } from "../order.ts";

export interface StatusCounters {
  readonly pkts: number;
  readonly bytes: number;
  /** When the counters were read, in milliseconds since the Unix epoch: clients decode an unsigned integer. */
  readonly timestamp: number;
}

export interface StatusStats {
  readonly rx: StatusCounters;
  readonly tx: StatusCounters;
}

export interface DataplaneStatus {
  readonly version: "v1";
  /** Strings only; empty ones are omitted, except `quota`, which is `"0"` without a limit. */
  readonly admin: Readonly<Record<string, string>>;
  readonly auth: AuthConfig;
  /** Sorted by name. */
  readonly listeners: readonly (ListenerConfig & { readonly stats: StatusStats })[];
  /** Sorted by name. */
  readonly clusters: readonly (ClusterConfig & { readonly stats: StatusStats })[];
  readonly allocationCount: number;
  readonly status: "READY" | "NOT-READY" | "TERMINATING";
}

interface Traffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
}

const HIDDEN = "********";
/** Credentials that a running config has, by authentication type; whether the value is public. */
const CREDENTIALS: Readonly<Record<AuthConfig["type"], Readonly<Record<string, boolean>>>> = {
  static: { username: true, password: false },
  ephemeral: { secret: false },
  none: {},
};
/** Defaults of a running config. An empty `healthcheck_endpoint` disables the server, an absent one does not. */
const DEFAULTS = { loglevel: DEFAULT_LOG_LEVEL, healthcheck_endpoint: "http://:8086" };
const ENGINES = ["None", "XDP", "TC", "Auto"];
const NO_TRAFFIC: Traffic = { bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 };
const NO_CONFIG: Pick<DataplaneConfig, "admin" | "auth"> = {
  admin: { name: "", loglevel: "" },
  auth: { type: "static", realm: "", credentials: {} },
};

const stats = ({ bytesIn, bytesOut, packetsIn, packetsOut }: Traffic, now: number): StatusStats => ({
  rx: { pkts: packetsIn, bytes: bytesIn, timestamp: now },
  tx: { pkts: packetsOut, bytes: bytesOut, timestamp: now },
});

/** From the view of peers: what they send is received. */
const relayStats = ({ bytesIn, bytesOut, packetsIn, packetsOut }: Traffic, now: number): StatusStats =>
  stats({ bytesIn: bytesOut, bytesOut: bytesIn, packetsIn: packetsOut, packetsOut: packetsIn }, now);

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => compareText(a.name, b.name);

const engineOf = ({ offload_engine: written }: AdminConfig): string =>
  ENGINES.find((name) => name.toLowerCase() === written?.toLowerCase()) ?? (written || "None");

const adminStatus = (admin: AdminConfig): DataplaneStatus["admin"] => {
  const { name, loglevel, metrics_endpoint = "", healthcheck_endpoint = DEFAULTS.healthcheck_endpoint } = admin;
  const interfaces = [...(admin.offload_interfaces ?? [])].toSorted();
  const given = { name, loglevel: loglevel || DEFAULTS.loglevel, metrics_endpoint, healthcheck_endpoint };
  return {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== "")),
    quota: String(Math.max(0, admin.user_quota ?? 0)),
    offload: `${engineOf(admin)}[${interfaces.join(",") || "all"}]`,
    licensing_info: "{tier:free}",
  };
};

const authStatus = ({ type, realm, credentials }: AuthConfig): AuthConfig => ({
  type,
  realm,
  credentials: Object.fromEntries(
    Object.entries(CREDENTIALS[type]).flatMap(([name, isPublic]) => {
      const value = credentials[name];
      return value === undefined ? [] : [[name, isPublic || value === "" ? value : HIDDEN]];
    }),
  ),
});

const listenerStatus = (listener: ListenerConfig): ListenerConfig => ({
  name: listener.name,
  protocol: listener.protocol,
  public_address: listener.public_address ?? "",
  public_port: listener.public_port ?? 0,
  address: listener.address,
  port: listener.port,
  ...(listener.cert ? { cert: HIDDEN } : {}),
  ...(listener.key ? { key: HIDDEN } : {}),
  ...(listener.certificates === undefined
    ? {}
    : { certificates: listener.certificates.map(() => ({ cert: HIDDEN, key: HIDDEN })) }),
  ...(listener.http_backend === undefined ? {} : { http_backend: listener.http_backend }),
  ...(listener.http_backend_proxy_protocol === undefined
    ? {}
    : { http_backend_proxy_protocol: listener.http_backend_proxy_protocol }),
  routes: (listener.routes ?? []).toSorted(),
});

const clusterStatus = ({ name, type, protocol, endpoints = [] }: ClusterConfig): ClusterConfig => ({
  name,
  type,
  protocol,
  endpoints: (type === "STATIC" ? endpoints.map(canonicalEndpoint) : endpoints).toSorted(),
});

/**
 * @param config undefined before the first one has arrived
 * @param now milliseconds since the Unix epoch
 */
export const dataplaneStatus = (
  config: DataplaneConfig | undefined,
  relay: Pick<RelaySummary, "listeners" | "clusters" | "open">,
  status: DataplaneStatus["status"],
  now: number,
): DataplaneStatus => {
  const { admin, auth } = config ?? NO_CONFIG;
  return {
    version: "v1",
    admin: adminStatus(admin),
    auth: authStatus(auth),
    listeners: (config?.listeners ?? []).toSorted(byName).map((listener) => ({
      ...listenerStatus(listener),
      stats: stats(relay.listeners.find(({ name }) => name === listener.name) ?? NO_TRAFFIC, now),
    })),
    clusters: (config?.clusters ?? []).toSorted(byName).map((cluster) => ({
      ...clusterStatus(cluster),
      stats: relayStats(relay.clusters.find(({ name }) => name === cluster.name) ?? NO_TRAFFIC, now),
    })),
    allocationCount: openAllocations(relay),
    status,
  };
};
