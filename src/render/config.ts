/** The config document of a Gateway's dataplane. */
import type { AdminConfig, AuthConfig, DataplaneConfig } from "../resources/dataplane-config.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import type { Name } from "../resources/keys.ts";
import { renderAlternates } from "./alternates.ts";
import { relayAddressPlaceholder } from "./annotations.ts";
import { attachedRoutes, type Attachments } from "./attachment.ts";
import { renderCluster } from "./clusters.ts";
import { renderListener, type JudgedListener } from "./listeners.ts";
import { usersOfGateway } from "./users.ts";

export interface RenderedConfig {
  readonly config: DataplaneConfig;
  /** By cluster name: endpoints that are permitted only until their pods are removed. */
  readonly draining: Readonly<Record<string, readonly string[]>>;
}

/** A route that any listener accepts has a cluster, even if that listener cannot serve. */
export const renderConfig = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  gateway: Gateway,
  settings: { readonly admin: AdminConfig; readonly auth: AuthConfig },
  attachments: Attachments,
  judged: readonly JudgedListener[],
): RenderedConfig => {
  const rendered = attachedRoutes(attachments).map((route) => renderCluster(view, options, route));
  const clusters = rendered.flatMap(({ cluster }) => (cluster === undefined ? [] : [cluster]));
  const address = relayAddressPlaceholder(gateway, options);
  const listeners = judged.flatMap((one) => (one.outcome === "accepted" ? [renderListener(name, one, address)] : []));
  const alternates = renderAlternates(view, options, name, gateway);
  return {
    config: {
      version: "v1",
      ...settings,
      ...(listeners.length > 0 ? { listeners } : {}),
      ...(clusters.length > 0 ? { clusters } : {}),
      ...usersOfGateway(view, name, gateway),
      ...(alternates.length > 0 ? { alternates } : {}),
    },
    draining: Object.fromEntries(
      rendered.flatMap(({ cluster, draining }) =>
        cluster !== undefined && draining.length > 0 ? [[cluster.name, draining] as const] : [],
      ),
    ),
  };
};
