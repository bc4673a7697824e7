/** Small objects to build situations from. All are in the namespace `ns` unless told otherwise. */
import type { Fact } from "../../src/journal/fact.ts";
import { splitName, type Name } from "../../src/resources/keys.ts";
import type { KindMap } from "../../src/resources/kinds.ts";
import { seen } from "./given.ts";

const meta = (name: string, namespace = "ns") => ({ name, namespace, generation: 1 });

export const gatewayClass: KindMap["GatewayClass"] = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "GatewayClass",
  metadata: { name: "media", generation: 1 },
  spec: {
    controllerName: "stunner.l7mp.io/gateway-operator",
    parametersRef: { group: "stunner.l7mp.io", kind: "GatewayConfig", name: "config", namespace: "ns" },
  },
};

export const gatewayConfig = (spec: KindMap["GatewayConfig"]["spec"] = {}): KindMap["GatewayConfig"] => ({
  apiVersion: "stunner.l7mp.io/v1",
  kind: "GatewayConfig",
  metadata: meta("config"),
  spec: { realm: "example.org", authType: "static", userName: "user", password: "vault:pass", ...spec },
});

export const gateway = (
  name: string,
  listeners: KindMap["Gateway"]["spec"]["listeners"] = [{ name: "udp", port: 3478, protocol: "TURN-UDP" }],
): KindMap["Gateway"] => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: meta(name),
  spec: { gatewayClassName: "media", listeners },
});

export const route = (name: string, gateways: readonly string[], services: readonly string[]): KindMap["UDPRoute"] => ({
  apiVersion: "stunner.l7mp.io/v1",
  kind: "UDPRoute",
  metadata: meta(name),
  spec: {
    parentRefs: gateways.map((parent) => ({ name: parent })),
    rules: [{ backendRefs: services.map((service) => ({ name: service })) }],
  },
});

/** A `gateway.networking.k8s.io` route; a Service in another namespace is `NAMESPACE/NAME`. */
export const gatewayApiRoute = (
  name: string,
  gateways: readonly string[],
  services: readonly string[],
): KindMap["GatewayUDPRoute"] => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "UDPRoute",
  metadata: meta(name),
  spec: {
    parentRefs: gateways.map((parent) => ({ name: parent })),
    rules: [
      {
        backendRefs: services.map((service) => {
          const { namespace, name: backend } = splitName(service as Name);
          return { name: backend, port: 1, ...(namespace === "" ? {} : { namespace }) };
        }),
      },
    ],
  },
});

/** Lets Gateway API routes of `ns` refer to this Service in `namespace`, or to all of them. */
export const referenceGrant = (namespace: string, service?: string): KindMap["ReferenceGrant"] => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "ReferenceGrant",
  metadata: meta("grant", namespace),
  spec: {
    from: [{ group: "gateway.networking.k8s.io", kind: "UDPRoute", namespace: "ns" }],
    to: [{ group: "", kind: "Service", ...(service === undefined ? {} : { name: service }) }],
  },
});

export const service = (name: string, namespace?: string): KindMap["Service"] => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: meta(name, namespace),
  spec: { ports: [{ port: 9000, protocol: "UDP" }] },
});

/** An address behind `!` is terminating. */
export const slice = (
  name: string,
  of: string,
  addresses: readonly string[],
  namespace?: string,
): KindMap["EndpointSlice"] => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { ...meta(name, namespace), labels: { "kubernetes.io/service-name": of } },
  addressType: "IPv4",
  endpoints: addresses.map((address) => ({
    addresses: [address.replace("!", "")],
    conditions: { ready: !address.startsWith("!"), terminating: address.startsWith("!") },
  })),
});

export const dataplane: KindMap["Dataplane"] = {
  apiVersion: "stunner.l7mp.io/v1",
  kind: "Dataplane",
  metadata: { name: "default" },
  spec: { image: "example.org/turnpike" },
};

/** A gateway `gw` that routes to the Service `media` with these addresses. */
export const aCall = (addresses: readonly string[] = ["10.0.0.1", "10.0.0.2"]): readonly Fact[] => [
  seen("GatewayClass", gatewayClass),
  seen("GatewayConfig", gatewayConfig()),
  seen("Gateway", gateway("gw")),
  seen("UDPRoute", route("r", ["gw"], ["media"])),
  seen("Service", service("media")),
  seen("EndpointSlice", slice("media-1", "media", addresses)),
];
