/**
 * Manifests for tests, one builder a kind. Names are `NAMESPACE/NAME`, those of cluster-scoped objects `NAME`. A `spec` is taken
 * as it is, wrong ones included: what they are tested for may be that they are refused.
 */
import type { ObjectMeta } from "../../src/resources/core.ts";
import { splitName, type Name } from "../../src/resources/keys.ts";
import type { AnyObject, KindMap } from "../../src/resources/kinds.ts";

export const GATEWAY_API = "gateway.networking.k8s.io";
export const STUNNER = "stunner.l7mp.io";
export const CONTROLLER = "stunner.l7mp.io/gateway-operator";

type Spec = Readonly<Record<string, unknown>>;

const metadataOf = (name: string) => {
  const { namespace, name: short } = splitName(name as Name);
  return { name: short, ...(namespace !== "" && { namespace }) };
};

/** `object` with more in its metadata: labels, annotations, a generation. */
export const withMetadata = <T extends AnyObject>(object: T, more: Partial<ObjectMeta>): T => ({
  ...object,
  metadata: { ...object.metadata, ...more },
});

export const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): KindMap["Namespace"] => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});

/** @param config the GatewayConfig of the class. */
export const gatewayClass = (name: string, config: string, spec: Spec = {}): KindMap["GatewayClass"] => ({
  apiVersion: `${GATEWAY_API}/v1`,
  kind: "GatewayClass",
  metadata: { name },
  spec: {
    controllerName: CONTROLLER,
    parametersRef: { group: STUNNER, kind: "GatewayConfig", ...metadataOf(config) },
    ...spec,
  },
});

export const gatewayConfig = (name: string, spec: Spec): KindMap["GatewayConfig"] => ({
  apiVersion: `${STUNNER}/v1`,
  kind: "GatewayConfig",
  metadata: metadataOf(name),
  spec,
});

export const gateway = (name: string, className: string, listeners: readonly unknown[]): KindMap["Gateway"] => ({
  apiVersion: `${GATEWAY_API}/v1`,
  kind: "Gateway",
  metadata: metadataOf(name),
  spec: { gatewayClassName: className, listeners: listeners as KindMap["Gateway"]["spec"]["listeners"] },
});

const routeSpec = (parentRefs: readonly unknown[], backendRefs: readonly unknown[]) =>
  ({ parentRefs, rules: [{ backendRefs }] }) as KindMap["UDPRoute"]["spec"];

/** A `stunner.l7mp.io` UDPRoute with one rule. */
export const udpRoute = (
  name: string,
  parentRefs: readonly unknown[],
  backendRefs: readonly unknown[],
): KindMap["UDPRoute"] => ({
  apiVersion: `${STUNNER}/v1`,
  kind: "UDPRoute",
  metadata: metadataOf(name),
  spec: routeSpec(parentRefs, backendRefs),
});

/** A UDPRoute of the Gateway API with one rule. */
export const gatewayApiRoute = (
  name: string,
  parentRefs: readonly unknown[],
  backendRefs: readonly unknown[],
  version: "v1" | "v1alpha2" = "v1alpha2",
): KindMap["GatewayUDPRoute"] => ({
  apiVersion: `${GATEWAY_API}/${version}`,
  kind: "UDPRoute",
  metadata: metadataOf(name),
  spec: routeSpec(parentRefs, backendRefs),
});

export const service = (name: string, spec: Spec): KindMap["Service"] => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: metadataOf(name),
  spec,
});

/** A Service's port 9001/UDP, for tests that do not look at it. */
export const somePorts = { ports: [{ port: 9001, protocol: "UDP" }] };

export interface Endpoint {
  readonly address: string;
  readonly terminating?: boolean;
}

/** @param of name of the Service, which is in the namespace of the slice. */
export const endpointSlice = (name: string, of: string, endpoints: readonly Endpoint[]): KindMap["EndpointSlice"] => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { ...metadataOf(name), labels: { "kubernetes.io/service-name": of } },
  addressType: endpoints.some(({ address }) => address.includes(":")) ? "IPv6" : "IPv4",
  endpoints: endpoints.map(({ address, terminating = false }) => ({
    addresses: [address],
    conditions: { ready: !terminating, serving: true, terminating },
  })),
});

export const staticService = (name: string, prefixes: readonly string[]): KindMap["StaticService"] => ({
  apiVersion: `${STUNNER}/v1`,
  kind: "StaticService",
  metadata: metadataOf(name),
  spec: { prefixes },
});

/** Lets objects of `from` refer to objects of `to` in its own namespace. */
export const referenceGrant = (
  name: string,
  from: unknown,
  to: unknown,
  version: "v1" | "v1beta1" = "v1beta1",
): KindMap["ReferenceGrant"] => ({
  apiVersion: `${GATEWAY_API}/${version}`,
  kind: "ReferenceGrant",
  metadata: metadataOf(name),
  spec: { from: [from], to: [to] } as KindMap["ReferenceGrant"]["spec"],
});

export const dataplane = (spec: Spec = {}, name = "default"): KindMap["Dataplane"] => ({
  apiVersion: `${STUNNER}/v1`,
  kind: "Dataplane",
  metadata: { name },
  spec,
});

export const secret = (name: string, data: Readonly<Record<string, string>>, type?: string): KindMap["Secret"] => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: metadataOf(name),
  ...(type !== undefined && { type }),
  data,
});
