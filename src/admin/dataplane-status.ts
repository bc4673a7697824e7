/** `/status` of a dataplane: the config in force and its traffic, in the shape that STUNner's tools read. No secret is in it. */
import type { RelayState } from "../dataplane/relay.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";

export interface DataplaneStatus {
  readonly version: string;
  readonly admin: Readonly<Record<string, unknown>>;
  readonly auth: Readonly<Record<string, unknown>>;
  readonly listeners: readonly unknown[];
  readonly clusters: readonly unknown[];
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
/** Credentials that are no secret. */
const SHOWN: ReadonlySet<string> = new Set(["username"]);
const NONE: Traffic = { bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 };

const stats = ({ bytesIn, bytesOut, packetsIn, packetsOut }: Traffic, now: number) => ({
  rx: { pkts: packetsIn, bytes: bytesIn, timestamp: new Date(now).toISOString() },
  tx: { pkts: packetsOut, bytes: bytesOut, timestamp: new Date(now).toISOString() },
});

/** At the side of peers: what comes from them is received. */
const relayStats = ({ bytesIn, bytesOut, packetsIn, packetsOut }: Traffic, now: number) =>
  stats({ bytesIn: bytesOut, bytesOut: bytesIn, packetsIn: packetsOut, packetsOut: packetsIn }, now);

/** `config`: nothing before the first one has come. */
export const dataplaneStatus = (
  config: DataplaneConfig | undefined,
  relay: RelayState,
  status: DataplaneStatus["status"],
  now: number,
): DataplaneStatus => {
  const { admin, auth } = config ?? { admin: { name: "" }, auth: { type: "static", realm: "", credentials: {} } };
  const { user_quota: quota, offload_engine: engine, offload_interfaces: interfaces = [], ...rest } = admin;
  const offload = engine === undefined || engine === "None" ? "None[all]" : `${engine}[${interfaces.join(",")}]`;
  return {
    version: "v1",
    admin: {
      ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== "")),
      ...(quota === undefined ? {} : { quota: String(quota) }),
      offload,
      licensing_info: "{tier:free}",
    },
    auth: {
      type: auth.type,
      realm: auth.realm,
      credentials: Object.fromEntries(
        Object.entries(auth.credentials).map(([name, value]) => [name, SHOWN.has(name) ? value : HIDDEN]),
      ),
    },
    listeners: (config?.listeners ?? []).map(({ cert, key, ...listener }) => ({
      ...listener,
      ...(cert === undefined ? {} : { cert: HIDDEN }),
      ...(key === undefined ? {} : { key: HIDDEN }),
      stats: stats(relay.listeners.find(({ name }) => name === listener.name) ?? NONE, now),
    })),
    clusters: (config?.clusters ?? []).map((cluster) => ({
      ...cluster,
      stats: relayStats(relay.clusters.find(({ name }) => name === cluster.name) ?? NONE, now),
    })),
    allocationCount: relay.allocations.length,
    status,
  };
};
