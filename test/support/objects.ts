/** Small objects to build situations from: of generation 1, and in the namespace `ns` unless another is given. */
import type { Fact } from "../../src/journal/fact.ts";
import { splitName, type Name } from "../../src/resources/keys.ts";
import type { AnyObject, KindMap } from "../../src/resources/kinds.ts";
import { seen } from "./given.ts";
import * as manifests from "./manifests.ts";

const numbered = <T extends AnyObject>(object: T): T => manifests.withMetadata(object, { generation: 1 });

export const gatewayClass = numbered(manifests.gatewayClass("media", "ns/config"));

export const gatewayConfig = (spec: KindMap["GatewayConfig"]["spec"] = {}): KindMap["GatewayConfig"] =>
  numbered(
    manifests.gatewayConfig("ns/config", {
      realm: "example.org",
      authType: "static",
      userName: "user",
      password: "vault:pass",
      ...spec,
    }),
  );

export const gateway = (
  name: string,
  listeners: KindMap["Gateway"]["spec"]["listeners"] = [{ name: "udp", port: 3478, protocol: "TURN-UDP" }],
): KindMap["Gateway"] => numbered(manifests.gateway(`ns/${name}`, "media", listeners));

const named = (names: readonly string[]) => names.map((name) => ({ name }));

export const route = (name: string, gateways: readonly string[], services: readonly string[]): KindMap["UDPRoute"] =>
  numbered(manifests.udpRoute(`ns/${name}`, named(gateways), named(services)));

/** A `gateway.networking.k8s.io` route; a Service in another namespace is `NAMESPACE/NAME`. */
export const gatewayApiRoute = (
  name: string,
  gateways: readonly string[],
  services: readonly string[],
): KindMap["GatewayUDPRoute"] => {
  const backends = services.map((service) => {
    const { namespace, name: backend } = splitName(service as Name);
    return { name: backend, port: 1, ...(namespace === "" ? {} : { namespace }) };
  });
  return numbered(manifests.gatewayApiRoute(`ns/${name}`, named(gateways), backends, "v1"));
};

/** Lets Gateway API routes of `ns` refer to this Service in `namespace`, or to all of them. */
export const referenceGrant = (namespace: string, service?: string): KindMap["ReferenceGrant"] =>
  numbered(
    manifests.referenceGrant(
      `${namespace}/grant`,
      { group: manifests.GATEWAY_API, kind: "UDPRoute", namespace: "ns" },
      { group: "", kind: "Service", ...(service === undefined ? {} : { name: service }) },
      "v1",
    ),
  );

export const service = (name: string, namespace = "ns"): KindMap["Service"] =>
  numbered(manifests.service(`${namespace}/${name}`, { ports: [{ port: 9000, protocol: "UDP" }] }));

/** An address behind `!` is terminating. */
export const slice = (
  name: string,
  of: string,
  addresses: readonly string[],
  namespace = "ns",
): KindMap["EndpointSlice"] =>
  numbered(
    manifests.endpointSlice(
      `${namespace}/${name}`,
      of,
      addresses.map((address) => ({ address: address.replace("!", ""), terminating: address.startsWith("!") })),
    ),
  );

export const dataplane = manifests.dataplane({ image: "example.org/turnpike" });

/** A gateway `gw` that routes to the Service `media` with these addresses. */
export const aCall = (addresses: readonly string[] = ["10.0.0.1", "10.0.0.2"]): readonly Fact[] => [
  seen("GatewayClass", gatewayClass),
  seen("GatewayConfig", gatewayConfig()),
  seen("Gateway", gateway("gw")),
  seen("UDPRoute", route("r", ["gw"], ["media"])),
  seen("Service", service("media")),
  seen("EndpointSlice", slice("media-1", "media", addresses)),
];
