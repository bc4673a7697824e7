/**
 * Legacy mode: one config for all Gateways of a class, in a ConfigMap next to its GatewayConfig, for user-managed
 * dataplanes.
 */
import type { KubernetesObject } from "../resources/core.ts";
import type { ClusterConfig, DataplaneConfig } from "../resources/dataplane-config.ts";
import { nameOfObject, type Name } from "../resources/keys.ts";
import {
  DATAPLANE_CONTAINER,
  LEGACY_CONFIG_MAP,
  OWNED_BY_LABEL,
  OWNED_BY_VALUE,
  RELATED_GATEWAY_NAME,
  STUNNER_GROUP,
} from "../resources/names.ts";
import type { GatewayConfig } from "../resources/stunner.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";
import { renderAdmin } from "./admin.ts";
import { renderAuth } from "./auth.ts";
import { configMapName, parametersOf, usableClass } from "./classes.ts";
import { compareText } from "../order.ts";
import type { RenderedGateway } from "./gateway.ts";

export interface RenderedConfigMap {
  readonly name: Name;
  /** Without its data, which contains secrets. */
  readonly object: KubernetesObject;
  /** The content of its data; undefined if the class is invalid, and then its data is empty. */
  readonly config: DataplaneConfig | undefined;
}

/** A route of several Gateways is one cluster. */
const mergedClusters = (configs: readonly DataplaneConfig[]): readonly ClusterConfig[] => {
  const byName = new Map(configs.flatMap(({ clusters = [] }) => clusters).map((cluster) => [cluster.name, cluster]));
  return [...byName.values()].toSorted((a, b) => compareText(a.name, b.name));
};

const mergedConfig = (
  view: ObjectsView,
  config: GatewayConfig,
  gateways: readonly RenderedGateway[],
): DataplaneConfig | undefined => {
  const admin = renderAdmin(DATAPLANE_CONTAINER as Name, { config, dataplane: undefined });
  const auth = renderAuth(view, config);
  if (!admin.ok || !auth.ok) return undefined;
  const configs = gateways.flatMap((gateway) => gateway.config ?? []);
  const listeners = configs.flatMap((one) => one.listeners ?? []);
  const clusters = mergedClusters(configs);
  return {
    version: "v1",
    admin: admin.value,
    auth: auth.value,
    ...(listeners.length > 0 ? { listeners } : {}),
    ...(clusters.length > 0 ? { clusters } : {}),
  };
};

/**
 * @param renderedOf the class's rendered Gateways.
 * @returns undefined for a class that is not ours or has no GatewayConfig.
 */
export const renderConfigMap = (
  view: ObjectsView,
  options: RenderOptions,
  className: string,
  renderedOf: (gateway: Name) => RenderedGateway | undefined,
): RenderedConfigMap | undefined => {
  const gatewayClass = usableClass(view, options, className);
  const resolved = gatewayClass && parametersOf(view, options, gatewayClass);
  if (resolved?.found !== true) return undefined;
  const { config } = resolved.parameters;
  const gateways = view
    .gatewaysOfClass(className)
    .flatMap((gateway) => renderedOf(nameOfObject("Gateway", gateway)) ?? []);
  const { name, namespace = "default", uid = "" } = config.metadata;
  return {
    name: configMapName(config),
    object: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        name: LEGACY_CONFIG_MAP,
        namespace,
        labels: { [OWNED_BY_LABEL]: OWNED_BY_VALUE },
        annotations: { [RELATED_GATEWAY_NAME]: `/${className}` },
        ownerReferences: [{ apiVersion: `${STUNNER_GROUP}/v1`, kind: "GatewayConfig", name, uid }],
      },
    },
    config: mergedConfig(view, config, gateways),
  };
};
