/** Where clients reach a listener, as far as the cluster has reported it. */
import type { Node, Service, ServicePort, ServiceType } from "../resources/core.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";
import type { Name } from "../resources/keys.ts";
import { RELATED_GATEWAY_NAME } from "../resources/names.ts";
import { gatewayAddress, requestedAddresses } from "./addresses.ts";
import type { GatewayAddress } from "./conditions.ts";
import { isIP } from "../net/ip.ts";
import type { Transport } from "./protocol.ts";
import { isFirstEdition } from "./rules.ts";

export interface PublicAddress extends GatewayAddress {
  readonly port: number;
  /** Others at which clients reach the same port; absent if there are none. */
  readonly others?: readonly GatewayAddress[];
}

/** The first of `addresses`, with the others that differ from it. */
const firstOf = (addresses: readonly (GatewayAddress | undefined)[], port: number): PublicAddress | undefined => {
  const byValue = new Map(addresses.flatMap((one) => (one === undefined ? [] : [[one.value, one] as const])));
  const [first, ...others] = byValue.values();
  return first && { ...first, port, ...(others.length === 0 ? {} : { others }) };
};

/** A listener as clients see it: its public port, and the port that the dataplane listens on. */
export interface Exposure {
  readonly transport: Transport;
  readonly port: number;
  readonly boundPort: number;
}

const preference: readonly ServiceType[] = ["LoadBalancer", "ExternalName", "NodePort", "ClusterIP"];

const rank = (service: Service): number => preference.indexOf(service.spec?.type ?? "ClusterIP");

/** Both the annotation and the owner reference must name the Gateway: one of them could be a leftover or a forgery. */
const servicesOf = (view: ObjectsView, name: Name, gateway: Gateway): readonly Service[] =>
  view
    .servicesOfGateway(name)
    .filter((service) => service.metadata.annotations?.[RELATED_GATEWAY_NAME] === name)
    .filter((service) =>
      (service.metadata.ownerReferences ?? []).some(
        (owner) =>
          owner.kind === "Gateway" &&
          owner.name === gateway.metadata.name &&
          owner.uid === (gateway.metadata.uid ?? ""),
      ),
    );

/** A reported address. The first release took it unchanged, with the `type` of the field. */
const reported = (options: RenderOptions, text: string | undefined, type: string): GatewayAddress | undefined => {
  if (!isFirstEdition(options)) return gatewayAddress(text);
  return text ? { type, value: text } : undefined;
};

/** The requested addresses. The first release took the first address unchanged, whatever it was. */
const requestedBy = (gateway: Gateway, options: RenderOptions): readonly GatewayAddress[] => {
  if (!isFirstEdition(options)) return requestedAddresses(gateway);
  const address = gateway.spec.addresses?.[0];
  return address?.value ? [{ type: address.type ?? "IPAddress", value: address.value }] : [];
};

const protocolOf = (port: ServicePort): string => port.protocol ?? "TCP";

const loadBalancerAddress = (
  options: RenderOptions,
  service: Service,
  port: ServicePort,
  index: number,
): PublicAddress | undefined => {
  if (service.spec?.type !== "LoadBalancer") return undefined;
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const exact = ingress.find((entry) => {
    const status = entry.ports?.[index];
    return status?.port === port.port && status.protocol === protocolOf(port);
  });
  const addressesOf = (entries: typeof ingress): readonly GatewayAddress[] =>
    entries.flatMap(
      (one) => reported(options, one.ip, "IPAddress") ?? reported(options, one.hostname, "Hostname") ?? [],
    );
  // Entries without ports lead to all of them. If none leads to this port, the first is better than nothing.
  const leading = ingress.filter(
    ({ ports = [] }) =>
      ports.length === 0 || ports.some((one) => one.port === port.port && one.protocol === protocolOf(port)),
  );
  const known = addressesOf([...(exact === undefined ? [] : [exact]), ...leading]);
  return firstOf(known.length > 0 ? only(options, known) : addressesOf(ingress).slice(0, 1), port.port);
};

/** A Node's internal addresses are not reachable for clients: only external ones are used, IP addresses before names. */
const externalAddresses = (options: RenderOptions, node: Node): readonly GatewayAddress[] =>
  ["ExternalIP", "ExternalDNS"]
    .flatMap((type) => node.status?.addresses?.filter((address) => address.type === type) ?? [])
    .flatMap(({ address }) => reported(options, address, "IPAddress") ?? []);

/** The first IP address of each family, or a name. */
const oneOfEachFamily = (addresses: readonly GatewayAddress[]): readonly GatewayAddress[] => {
  const [first] = addresses;
  if (first === undefined || first.type !== "IPAddress") return addresses.slice(0, 1);
  const isIPv6 = (address: GatewayAddress): boolean => address.value.includes(":");
  const other = addresses.find((one) => one.type === "IPAddress" && isIPv6(one) !== isIPv6(first));
  return other === undefined ? [first] : [first, other];
};

/** The first release knew one address of a listener. */
const only = <T>(options: RenderOptions, addresses: readonly (T | undefined)[]): readonly (T | undefined)[] =>
  isFirstEdition(options) ? addresses.filter((one) => one !== undefined).slice(0, 1) : addresses;

const nodePortAddress = (view: ObjectsView, options: RenderOptions, port: ServicePort): PublicAddress | undefined => {
  if (port.nodePort === undefined || port.nodePort <= 0) return undefined;
  for (const node of view.list("Node")) {
    const addresses = oneOfEachFamily(externalAddresses(options, node));
    if (addresses.length > 0) return firstOf(only(options, addresses), port.nodePort);
  }
  return undefined;
};

/** Without a cluster there is no Service in front of the listener: its own port is the public one. */
const standaloneAddress = (options: RenderOptions, gateway: Gateway, exposure: Exposure): PublicAddress | undefined => {
  const requested = requestedBy(gateway, options);
  const own = reported(options, options.publicAddress, isIP(options.publicAddress ?? "") ? "IPAddress" : "Hostname");
  return firstOf(requested.length > 0 ? requested : [own], exposure.boundPort);
};

/** The stored Service decides, so a new Gateway has an address only after its Service was observed. */
const managedAddress = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  gateway: Gateway,
  exposure: Exposure,
): PublicAddress | undefined => {
  const service = servicesOf(view, name, gateway).toSorted((a, b) => rank(a) - rank(b))[0];
  const ports = service?.spec?.ports ?? [];
  const index = ports.findIndex((port) => port.port === exposure.port && protocolOf(port) === exposure.transport);
  const port = ports[index];
  if (service === undefined || port === undefined) return undefined;
  const requested = requestedBy(gateway, options);
  if (requested.length > 0) return firstOf(requested, port.port);
  return loadBalancerAddress(options, service, port, index) ?? nodePortAddress(view, options, port);
};

export const publicAddressOf = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  gateway: Gateway,
  exposure: Exposure,
): PublicAddress | undefined =>
  options.mode === "standalone"
    ? standaloneAddress(options, gateway, exposure)
    : managedAddress(view, options, name, gateway, exposure);
