/** What is in the cluster when a history begins. */
import type { Literal } from "../../cluster/client.ts";

export const NAMESPACE = "media";

export const named = (
  apiVersion: string,
  kind: string,
  name: string,
  spec: unknown,
  metadata: object = {},
): Literal => ({
  apiVersion,
  kind,
  metadata: { name, namespace: NAMESPACE, ...metadata },
  ...(spec === undefined ? {} : { spec }),
});

const clusterWide = (object: Literal): Literal => {
  const { namespace: _, ...metadata } = object.metadata;
  return { ...object, metadata };
};

const GATEWAY_API = "gateway.networking.k8s.io/v1";
const STUNNER = "stunner.l7mp.io/v1";

export const gatewayClass = (name = "media", controllerName = "stunner.l7mp.io/gateway-operator"): Literal =>
  clusterWide(
    named(GATEWAY_API, "GatewayClass", name, {
      controllerName,
      parametersRef: { group: "stunner.l7mp.io", kind: "GatewayConfig", name: "config", namespace: NAMESPACE },
    }),
  );

export const gatewayConfig = (spec: object = {}): Literal =>
  named(STUNNER, "GatewayConfig", "config", {
    realm: "example.org",
    authType: "static",
    userName: "user",
    password: "pass",
    ...spec,
  });

export const dataplane: Literal = clusterWide(
  named(STUNNER, "Dataplane", "default", { image: "example.org/turnpike", replicas: 0 }),
);

export const UDP = { name: "udp", port: 3478, protocol: "TURN-UDP" } as const;
export const TCP = { name: "tcp", port: 3478, protocol: "TURN-TCP" } as const;

export const gateway = (listeners: readonly object[] = [UDP], spec: object = {}, name = "edge"): Literal =>
  named(
    GATEWAY_API,
    "Gateway",
    name,
    { gatewayClassName: "media", listeners, ...spec },
    { annotations: { "stunner.l7mp.io/enable-mixed-protocol-lb": "true" } },
  );

export const backend = (name: string, more: object = {}) => ({ name, ...more });

export const route = (backends: readonly object[] = [backend("sfu")], name = "calls", parent = "edge"): Literal =>
  named(STUNNER, "UDPRoute", name, { parentRefs: [{ name: parent }], rules: [{ backendRefs: backends }] });

export const gatewayApiRoute = (backends: readonly object[], name = "calls"): Literal => ({
  ...route(backends, name),
  apiVersion: "gateway.networking.k8s.io/v1alpha2",
});

export const service = (name = "sfu", spec: object = { selector: { app: name } }): Literal =>
  named("v1", "Service", name, { ports: [{ name: "rtp", port: 9000, protocol: "UDP" }], ...spec });

export const slice = (name: string, addresses: readonly string[], of = "sfu"): Literal => ({
  ...named("discovery.k8s.io/v1", "EndpointSlice", name, undefined, { labels: { "kubernetes.io/service-name": of } }),
  addressType: "IPv4",
  ports: [{ name: "rtp", port: 9000, protocol: "UDP" }],
  endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
});

/** @param release of the pods: another one is a rollout. */
export const deployment = (replicas: number, release = "one"): Literal =>
  named("apps/v1", "Deployment", "sfu", {
    replicas,
    selector: { matchLabels: { app: "sfu" } },
    template: {
      metadata: { labels: { app: "sfu" }, annotations: { release } },
      spec: { containers: [{ name: "sfu", image: "example.org/sfu" }] },
    },
  });

export const namespace = (labels: Readonly<Record<string, string>> = {}): Literal => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: NAMESPACE, labels },
});

/** A Gateway `edge` with a route to the Service `sfu`, whose pods are a Deployment's. */
export const world = (replicas: number): readonly Literal[] => [
  gatewayClass(),
  gatewayConfig(),
  dataplane,
  gateway(),
  route(),
  service(),
  deployment(replicas),
];
