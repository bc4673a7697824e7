/** Rendering alone behind the API server: everything is rendered again at every change. */
import type { AnyObject, KindId } from "../../src/resources/kinds.ts";
import type { DataplaneConfig } from "../../src/resources/dataplane-config.ts";
import type { Secret } from "../../src/resources/core.ts";
import { keyOf, nameOfObject, type Name, type ObjectKey } from "../../src/resources/keys.ts";
import { routesOf, type ObjectsView, type RenderOptions } from "../../src/resources/view.ts";
import {
  renderFinalizingGateway,
  renderFinalizingGatewayClass,
  renderGateway,
  renderGatewayClass,
  renderRoute,
  type RenderedGateway,
} from "../../src/render/render.ts";
import { viewOf } from "../render/view.ts";
import type { Renderer, Rendering } from "./cluster.ts";

/** What the edge does to Secrets on their way in, less the vault. */
const decoded = (kind: KindId, object: AnyObject): AnyObject => {
  if (kind !== "Secret") return object;
  const secret = object as Secret;
  const data = Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]);
  return { ...secret, data: Object.fromEntries(data) };
};

/** And to certificates on their way out. */
const revealed = (config: DataplaneConfig): DataplaneConfig => {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return {
    ...config,
    ...(config.listeners && {
      listeners: config.listeners.map((listener) => ({
        ...listener,
        ...(listener.cert && { cert: base64(listener.cert) }),
        ...(listener.key && { key: base64(listener.key) }),
      })),
    }),
  };
};

type StatusWrite = Rendering["statuses"][number];

const renderAll = (view: ObjectsView, options: RenderOptions, finalizing: boolean): Rendering => {
  const gateways = view.list("Gateway").flatMap((object): readonly RenderedGateway[] => {
    const name = nameOfObject("Gateway", object);
    const rendered = (finalizing ? renderFinalizingGateway : renderGateway)(view, options, name);
    return rendered === undefined ? [] : [rendered];
  });
  const classes = view.list("GatewayClass").flatMap(({ metadata }): readonly StatusWrite[] => {
    const rendered = (finalizing ? renderFinalizingGatewayClass : renderGatewayClass)(view, options, metadata.name);
    return rendered === undefined ? [] : [{ kind: "GatewayClass", name: metadata.name as Name, ...rendered }];
  });
  const routes = finalizing
    ? []
    : routesOf(view).flatMap((route): readonly StatusWrite[] => {
        const { status } = renderRoute(view, options, route);
        return status === undefined ? [] : [{ kind: route.kind, name: route.name, status }];
      });
  return {
    configs: Object.fromEntries(
      gateways.flatMap(({ name, config }) => (config === undefined ? [] : [[name, revealed(config)]])),
    ),
    statuses: [
      ...classes,
      ...gateways.map(({ name, status }): StatusWrite => ({ kind: "Gateway", name, status })),
      ...routes,
    ],
    objects: gateways.flatMap(({ objects }) => objects),
    removals: gateways.flatMap(({ removals }) => removals),
  };
};

export const pureRenderer = (options: RenderOptions): Renderer => {
  const objects = new Map<ObjectKey, AnyObject>();
  const render = (finalizing: boolean): Rendering =>
    renderAll(viewOf([...objects.values()], options.endpointSource), options, finalizing);
  return {
    changed: (changes) => {
      for (const change of changes) {
        if (change.type === "gone") objects.delete(keyOf(change.kind, change.name));
        else {
          const object = decoded(change.kind, change.object);
          objects.set(keyOf(change.kind, nameOfObject(change.kind, object)), object);
        }
      }
      return render(false);
    },
    stopping: () => render(true),
  };
};
