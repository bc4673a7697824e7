/** The admin settings of a dataplane. */
import type { AdminConfig } from "../resources/dataplane-config.ts";
import type { Name } from "../resources/keys.ts";
import { DEFAULT_LOG_LEVEL } from "../resources/names.ts";
import type { Rendered } from "./auth.ts";
import type { Parameters } from "./classes.ts";
import { compareText } from "../order.ts";

const METRICS_ENDPOINT = "http://:8080/metrics";
const HEALTH_CHECK_ENDPOINT = "http://:8086";
const offloadEngines = ["None", "XDP", "TC", "Auto"] as const;

export const renderAdmin = (gateway: Name, { config, dataplane }: Parameters): Rendered<AdminConfig> => {
  const spec = dataplane?.spec ?? {};
  const wanted = spec.offloadEngine || "None";
  const engine = offloadEngines.find((known) => known.toLowerCase() === wanted.toLowerCase());
  if (engine === undefined) return { ok: false, cause: `unknown offload engine ${wanted}` };
  const interfaces = (spec.offloadInterfaces ?? []).toSorted(compareText);
  const userQuota = config.spec?.userQuota ?? 0;
  return {
    ok: true,
    value: {
      name: gateway,
      loglevel: config.spec?.logLevel || DEFAULT_LOG_LEVEL,
      ...(spec.enableMetricsEndpoint === true ? { metrics_endpoint: METRICS_ENDPOINT } : {}),
      healthcheck_endpoint: spec.disableHealthCheck === true ? "" : HEALTH_CHECK_ENDPOINT,
      ...(userQuota > 0 ? { user_quota: userQuota } : {}),
      offload_engine: engine,
      ...(interfaces.length > 0 ? { offload_interfaces: interfaces } : {}),
    },
  };
};
