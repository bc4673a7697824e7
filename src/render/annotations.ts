/** The annotations of a Gateway that change what is rendered. */
import type { Gateway } from "../resources/gateway-api.ts";
import type { GatewayConfig } from "../resources/stunner.ts";
import { annotations as keys, LAST_APPLIED_ANNOTATION } from "../resources/names.ts";

export type Annotations = Readonly<Record<string, string>>;
/** Ports by listener name. */
export type PortMap = ReadonlyMap<string, number>;

/** A Gateway's own annotations without kubectl's copy of the whole manifest, which says nothing on another object. */
export const gatewayAnnotations = (gateway: Gateway): Annotations => {
  const { [LAST_APPLIED_ANNOTATION]: _, ...rest } = gateway.metadata.annotations ?? {};
  return rest;
};

/** The GatewayConfig's annotations with the Gateway's over them. */
export const effectiveAnnotations = (config: GatewayConfig, gateway: Gateway): Annotations => ({
  ...config.spec?.loadBalancerServiceAnnotations,
  ...gatewayAnnotations(gateway),
});

export const isOn = (annotations: Annotations, key: string): boolean => annotations[key]?.toLowerCase() === "true";

/** Only the Gateway itself can say so: a GatewayConfig's annotations are for Services. */
export const isDataplaneDisabled = (gateway: Gateway): boolean =>
  isOn(gatewayAnnotations(gateway), keys.disableManagedDataplane);

/**
 * A JSON object from listener name to port, the outer braces being optional.
 * Anything else is as good as no annotation: a typo must not take a Gateway down.
 */
export const parsePortMap = (text: string | undefined): PortMap => {
  const trimmed = text?.trim() ?? "";
  if (trimmed === "") return new Map();
  try {
    const value: unknown = JSON.parse(trimmed.startsWith("{") ? trimmed : `{${trimmed}}`);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return new Map();
    const entries = Object.entries(value).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number" && Number.isSafeInteger(entry[1]),
    );
    return entries.length === Object.keys(value).length ? new Map(entries) : new Map();
  } catch {
    return new Map();
  }
};

export const nodePorts = (annotations: Annotations): PortMap => parsePortMap(annotations[keys.nodePort]);
export const targetPorts = (annotations: Annotations): PortMap => parsePortMap(annotations[keys.targetPort]);
