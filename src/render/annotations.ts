/** The annotations of a Gateway that change what is rendered. */
import type { IpFamily, IpFamilyPolicy, ServiceType } from "../resources/core.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import type { GatewayConfig } from "../resources/stunner.ts";
import {
  ADDRESS_PLACEHOLDER,
  annotations as keys,
  LAST_APPLIED_ANNOTATION,
  NODE_ADDRESS_PLACEHOLDER,
} from "../resources/names.ts";
import type { RenderOptions } from "../resources/view.ts";
import { parsePortMap, readPortAnnotation, type PortAnnotation } from "./port-map.ts";
import { isFirstEdition } from "./rules.ts";

export type Annotations = Readonly<Record<string, string>>;

/**
 * A Gateway's own annotations without kubectl's copy of the whole manifest, which does not apply to another object, and
 * without the users that it names.
 */
export const gatewayAnnotations = (gateway: Gateway): Annotations => {
  const { [LAST_APPLIED_ANNOTATION]: _, [keys.users]: __, ...rest } = gateway.metadata.annotations ?? {};
  return rest;
};

/** The GatewayConfig's annotations, overridden by the Gateway's. */
export const effectiveAnnotations = (config: GatewayConfig, gateway: Gateway): Annotations => ({
  ...config.spec?.loadBalancerServiceAnnotations,
  ...gatewayAnnotations(gateway),
});

export const isOn = (annotations: Annotations, key: string): boolean => annotations[key]?.toLowerCase() === "true";

/** Only the Gateway itself can set this: a GatewayConfig's annotations are for Services. */
export const isDataplaneDisabled = (gateway: Gateway): boolean =>
  isOn(gatewayAnnotations(gateway), keys.disableManagedDataplane);

/** What a listener's `address` is, for the dataplane to replace: its pod's address, or its node's external one. */
export const relayAddressPlaceholder = (gateway: Gateway, { mode }: RenderOptions): string =>
  mode === "managed" && isOn(gatewayAnnotations(gateway), keys.relayAddressDiscovery)
    ? NODE_ADDRESS_PLACEHOLDER
    : ADDRESS_PLACEHOLDER;

const portAnnotation = (annotations: Annotations, key: string, options: RenderOptions): PortAnnotation =>
  isFirstEdition(options)
    ? { ports: parsePortMap(annotations[key]), invalid: new Map(), isMalformed: false }
    : readPortAnnotation(annotations[key]);

export const nodePorts = (annotations: Annotations, options: RenderOptions): PortAnnotation =>
  portAnnotation(annotations, keys.nodePort, options);
export const targetPorts = (annotations: Annotations, options: RenderOptions): PortAnnotation =>
  portAnnotation(annotations, keys.targetPort, options);

const serviceTypes: readonly ServiceType[] = ["ClusterIP", "NodePort", "LoadBalancer"];
/** A Service of type ExternalName has no pods, and Kubernetes rejects it without an external name. */
const firstServiceTypes: readonly ServiceType[] = [...serviceTypes, "ExternalName"];

/** Values of `ip-family-policy` and `ip-families`. */
export const ipFamilyPolicies: readonly IpFamilyPolicy[] = ["SingleStack", "PreferDualStack", "RequireDualStack"];
const families: readonly IpFamily[] = ["IPv4", "IPv6"];

export const ipFamilyPolicy = (annotations: Annotations): IpFamilyPolicy | undefined =>
  ipFamilyPolicies.find((policy) => policy === annotations[keys.ipFamilyPolicy]);

/** One or both families, the first of which is that of the cluster IP; undefined if the annotation has no such list. */
export const ipFamilies = (annotations: Annotations): readonly IpFamily[] | undefined => {
  const asked = annotations[keys.ipFamilies]?.split(",").map((part) => part.trim());
  const known = asked?.flatMap((part) => families.filter((family) => family === part));
  return known === undefined || known.length !== asked?.length || new Set(known).size !== known.length
    ? undefined
    : known;
};

export const serviceType = (annotations: Annotations, options: RenderOptions): ServiceType =>
  (isFirstEdition(options) ? firstServiceTypes : serviceTypes).find((type) => type === annotations[keys.serviceType]) ??
  "LoadBalancer";
