/** Our GatewayClasses, and their parameters. */
import type { GatewayClass } from "../resources/gateway-api.ts";
import type { Dataplane, GatewayConfig } from "../resources/stunner.ts";
import type { KindMap } from "../resources/kinds.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";
import { nameOf, type Name } from "../resources/keys.ts";
import { DEFAULT_DATAPLANE, LEGACY_CONFIG_MAP, STUNNER_GROUP } from "../resources/names.ts";

/**
 * What a class's Gateways are rendered with. Standalone, there may be no Dataplane object; in legacy mode it is ignored.
 */
export interface Parameters {
  readonly config: GatewayConfig;
  readonly dataplane: Dataplane | undefined;
}

export type ResolvedParameters =
  | { readonly found: true; readonly parameters: Parameters }
  | { readonly found: false; readonly cause: string };

/** The class if it is ours and names a GatewayConfig; all others are silently ignored. */
export const usableClass = (view: ObjectsView, options: RenderOptions, className: string): GatewayClass | undefined => {
  const gatewayClass = view.get("GatewayClass", nameOf(undefined, className));
  if (gatewayClass?.spec.controllerName !== options.controllerName) return undefined;
  const reference = gatewayClass.spec.parametersRef;
  if (reference?.group !== STUNNER_GROUP || reference.kind !== "GatewayConfig") return undefined;
  return reference.name && reference.namespace ? gatewayClass : undefined;
};

/** A Gateway of one of our classes; undefined for any other. */
export const controlledGateway = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
): { readonly gateway: KindMap["Gateway"]; readonly gatewayClass: GatewayClass } | undefined => {
  const gateway = view.get("Gateway", name);
  const gatewayClass = gateway && usableClass(view, options, gateway.spec.gatewayClassName);
  return gateway && gatewayClass && { gateway, gatewayClass };
};

/** The ConfigMap of the legacy config of classes with this GatewayConfig. */
export const configMapName = (config: GatewayConfig): Name =>
  nameOf(config.metadata.namespace ?? "default", LEGACY_CONFIG_MAP);

/** The class whose config is in the ConfigMap of this namespace: of several, the first by name. */
const configMapHolder = (view: ObjectsView, options: RenderOptions, namespace: string): string | undefined =>
  view.list("GatewayClass").find(({ metadata: { name } }) => {
    const { parametersRef } = usableClass(view, options, name)?.spec ?? {};
    return (
      parametersRef?.namespace === namespace &&
      view.get("GatewayConfig", nameOf(namespace, parametersRef.name)) !== undefined
    );
  })?.metadata.name;

export const parametersOf = (
  view: ObjectsView,
  options: RenderOptions,
  gatewayClass: GatewayClass,
): ResolvedParameters => {
  const reference = gatewayClass.spec.parametersRef;
  const configName = nameOf(reference?.namespace, reference?.name ?? "");
  const config = view.get("GatewayConfig", configName);
  if (config === undefined) return { found: false, cause: `GatewayConfig ${configName} not found` };
  if (options.mode === "legacy") {
    const holder = configMapHolder(view, options, reference?.namespace ?? "");
    return holder === gatewayClass.metadata.name
      ? { found: true, parameters: { config, dataplane: undefined } }
      : { found: false, cause: `ConfigMap ${configMapName(config)} has the config of GatewayClass ${holder}` };
  }
  const dataplaneName = config.spec?.dataplane || DEFAULT_DATAPLANE;
  const dataplane = view.get("Dataplane", nameOf(undefined, dataplaneName));
  if (dataplane === undefined && options.mode === "managed")
    return { found: false, cause: `Dataplane ${dataplaneName} not found` };
  return { found: true, parameters: { config, dataplane } };
};
