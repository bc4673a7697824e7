/** Where clients reach a listener, as far as the cluster has told so far. */
import type { Node, Service, ServicePort, ServiceType } from "../resources/core.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";
import type { Name } from "../resources/keys.ts";
import { RELATED_GATEWAY_NAME } from "../resources/names.ts";
import type { GatewayAddress } from "./conditions.ts";
import { isIP } from "./ip.ts";
import type { Transport } from "./protocol.ts";

export interface PublicAddress extends GatewayAddress {
  readonly port: number;
}

/** A listener's place on the outside: by the number in the Gateway, and what the dataplane itself listens on. */
export interface Exposure {
  readonly transport: Transport;
  readonly port: number;
  readonly boundPort: number;
}

const preference: readonly ServiceType[] = ["LoadBalancer", "ExternalName", "NodePort", "ClusterIP"];

const rank = (service: Service): number => preference.indexOf(service.spec?.type ?? "ClusterIP");

/** Both the annotation and the owner reference must name the Gateway: either alone may be a leftover or a forgery. */
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

const typed = (value: string): GatewayAddress => ({ type: isIP(value) ? "IPAddress" : "Hostname", value });

const requestedAddress = (gateway: Gateway): GatewayAddress | undefined => {
  const address = gateway.spec.addresses?.[0];
  return address?.value ? { type: address.type ?? "IPAddress", value: address.value } : undefined;
};

const protocolOf = (port: ServicePort): string => port.protocol ?? "TCP";

const loadBalancerAddress = (service: Service, port: ServicePort, index: number): PublicAddress | undefined => {
  if (service.spec?.type !== "LoadBalancer") return undefined;
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const exact = ingress.find((entry) => {
    const status = entry.ports?.[index];
    return status?.port === port.port && status.protocol === protocolOf(port);
  });
  const entry = exact ?? ingress[0];
  if (entry?.ip) return { type: "IPAddress", value: entry.ip, port: port.port };
  return entry?.hostname ? { type: "Hostname", value: entry.hostname, port: port.port } : undefined;
};

const externalAddress = (node: Node): string | undefined => {
  const ofType = (type: string): string | undefined =>
    node.status?.addresses?.find((address) => address.type === type && address.address !== "")?.address;
  return ofType("ExternalIP") ?? ofType("ExternalDNS");
};

const nodePortAddress = (view: ObjectsView, port: ServicePort): PublicAddress | undefined => {
  if (port.nodePort === undefined || port.nodePort <= 0) return undefined;
  for (const node of view.list("Node")) {
    const value = externalAddress(node);
    if (value !== undefined) return { type: "IPAddress", value, port: port.nodePort };
  }
  return undefined;
};

/** Without a cluster nothing stands before the listener: its own port is the public one. */
const standaloneAddress = (options: RenderOptions, gateway: Gateway, exposure: Exposure): PublicAddress | undefined => {
  const address = requestedAddress(gateway) ?? (options.publicAddress ? typed(options.publicAddress) : undefined);
  return address && { ...address, port: exposure.boundPort };
};

/** The Service as stored decides, so a new Gateway has an address only after its Service has been seen. */
const managedAddress = (
  view: ObjectsView,
  name: Name,
  gateway: Gateway,
  exposure: Exposure,
): PublicAddress | undefined => {
  const service = servicesOf(view, name, gateway).toSorted((a, b) => rank(a) - rank(b))[0];
  const ports = service?.spec?.ports ?? [];
  const index = ports.findIndex((port) => port.port === exposure.port && protocolOf(port) === exposure.transport);
  const port = ports[index];
  if (service === undefined || port === undefined) return undefined;
  const requested = requestedAddress(gateway);
  if (requested !== undefined) return { ...requested, port: port.port };
  return loadBalancerAddress(service, port, index) ?? nodePortAddress(view, port);
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
    : managedAddress(view, name, gateway, exposure);
