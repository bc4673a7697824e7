/** The objects that the unit tests of rendering start from: one Gateway with two listeners, one route, one backend. */
import type { GatewayListener } from "../../src/resources/gateway-api.ts";
import type { ClusterConfig, DataplaneConfig, ListenerConfig } from "../../src/resources/dataplane-config.ts";
import type { Name } from "../../src/resources/keys.ts";
import type { AnyObject, KindId } from "../../src/resources/kinds.ts";
import { routesOf, type ObjectsView, type RenderOptions, type Route } from "../../src/resources/view.ts";
import { renderGateway, type RenderedGateway } from "../../src/render/render.ts";
import * as manifests from "../support/manifests.ts";
import { mergePatched } from "./merge-patch.ts";
import { defaultOptions, kindIdOf, viewOf } from "./view.ts";

export const gateway1 = "testnamespace/gateway-1" as Name;
export const UDP = "gateway-1-listener-udp";
export const TCP = "gateway-1-listener-tcp";
export const podIPs = ["1.2.3.4", "1.2.3.5", "1.2.3.6", "1.2.3.7"];

const namespace = "testnamespace";
const ready = { ready: true, serving: true, terminating: false };

const objects: readonly unknown[] = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels: { testlabel: "testvalue" } } },
  {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "GatewayClass",
    metadata: { name: "gatewayclass-ok" },
    spec: {
      controllerName: "stunner.l7mp.io/gateway-operator",
      parametersRef: { group: "stunner.l7mp.io", kind: "GatewayConfig", name: "gatewayconfig-ok", namespace },
    },
  },
  {
    apiVersion: "stunner.l7mp.io/v1",
    kind: "GatewayConfig",
    metadata: { name: "gatewayconfig-ok", namespace },
    spec: {
      realm: "testrealm",
      authType: "static",
      userName: "testuser",
      password: "testpass",
      logLevel: "testloglevel",
    },
  },
  {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: "gateway-1", namespace, uid: "gateway-uid", labels: { "dummy-label": "dummy-value" } },
    spec: {
      gatewayClassName: "gatewayclass-ok",
      listeners: [
        { name: UDP, port: 1, protocol: "TURN-UDP" },
        { name: TCP, port: 2, protocol: "TURN-TCP" },
      ],
    },
  },
  {
    apiVersion: "stunner.l7mp.io/v1",
    kind: "UDPRoute",
    metadata: { name: "udproute-ok", namespace },
    spec: {
      parentRefs: [{ name: "gateway-1", sectionName: UDP }],
      rules: [{ backendRefs: [{ name: "testservice-ok" }] }],
    },
  },
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: "testservice-ok",
      namespace,
      annotations: { "stunner.l7mp.io/related-gateway-name": gateway1 },
    },
    spec: {
      type: "LoadBalancer",
      ports: [
        { name: "udp-ok", protocol: "UDP", port: 1 },
        { name: "tcp-ok", protocol: "TCP", port: 2 },
      ],
    },
    status: {
      loadBalancer: {
        ingress: [
          {
            ip: "1.2.3.4",
            ports: [
              { port: 1, protocol: "UDP" },
              { port: 2, protocol: "TCP" },
            ],
          },
        ],
      },
    },
  },
  {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "testnode-ok" },
    status: {
      addresses: [
        { type: "InternalIP", address: "255.255.255.255" },
        { type: "ExternalIP", address: "1.2.3.4" },
      ],
    },
  },
  {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { name: "testservice-ok", namespace },
    subsets: [
      { addresses: [{ ip: "1.2.3.4" }, { ip: "1.2.3.5" }], notReadyAddresses: [{ ip: "1.2.3.6" }] },
      { addresses: [{ ip: "1.2.3.7" }] },
    ],
  },
  {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "slice-ok", namespace, labels: { "kubernetes.io/service-name": "testservice-ok" } },
    addressType: "IPv4",
    endpoints: [
      { addresses: ["1.2.3.4", "1.2.3.5"], conditions: ready },
      { addresses: ["1.2.3.6"], conditions: { ready: false, serving: false, terminating: true } },
      { addresses: ["1.2.3.7"], conditions: { ready: false, serving: true } },
    ],
  },
  {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "testsecret-ok", namespace },
    type: "kubernetes.io/tls",
    data: { "tls.crt": "testcert", "tls.key": "testkey" },
  },
  {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "testauthsecret-ok", namespace },
    data: { username: "ext-testuser", password: "ext-testpass", secret: "ext-secret" },
  },
  {
    apiVersion: "stunner.l7mp.io/v1",
    kind: "StaticService",
    metadata: { name: "teststaticservice-ok", namespace },
    spec: { prefixes: ["10.11.12.13", "10.11.12.14", "10.11.12.15"] },
  },
  {
    apiVersion: "stunner.l7mp.io/v1",
    kind: "Dataplane",
    metadata: { name: "default" },
    spec: {
      replicas: 3,
      image: "testimage-1",
      imagePullPolicy: "Always",
      command: ["testcommand-1"],
      args: ["arg-1", "arg-2"],
      resources: { limits: { memory: "10M" }, requests: { cpu: "250m" } },
      terminationGracePeriodSeconds: 60,
      hostNetwork: true,
    },
  },
];

export type Objects = readonly AnyObject[];

export const fixture = objects as Objects;

const isNamed = (object: AnyObject, kind: KindId, name: string | undefined): boolean =>
  kindIdOf(object) === kind && (name === undefined || object.metadata.name === name);

/** `objects` with a merge patch on all of a kind, or on the one with this name. */
export const patched = (objects: Objects, kind: KindId, patch: unknown, name?: string): Objects =>
  objects.map((object) => (isNamed(object, kind, name) ? (mergePatched(object, patch) as AnyObject) : object));

export const without = (objects: Objects, kind: KindId, name?: string): Objects =>
  objects.filter((object) => !isNamed(object, kind, name));

export const plus = (objects: Objects, ...more: readonly unknown[]): Objects => [...objects, ...(more as Objects)];

/** The fixture with other listeners. */
export const withListeners = (
  listeners: readonly (Partial<GatewayListener> & { readonly options?: unknown })[],
  objects = fixture,
): Objects => patched(objects, "Gateway", { spec: { listeners } });

export const withBackends = (backendRefs: readonly unknown[], objects = fixture): Objects =>
  patched(objects, "UDPRoute", { spec: { rules: [{ backendRefs }] } });

export const withGatewayAnnotations = (annotations: Readonly<Record<string, string>>, objects = fixture): Objects =>
  patched(objects, "Gateway", { metadata: { annotations } });

export const withConfigAnnotations = (annotations: Readonly<Record<string, string>>, objects = fixture): Objects =>
  patched(objects, "GatewayConfig", { spec: { loadBalancerServiceAnnotations: annotations } });

/** The fixture's Service as the Gateway's own. */
export const owned = (objects: Objects = fixture): Objects =>
  patched(objects, "Service", {
    metadata: {
      ownerReferences: [
        { apiVersion: "gateway.networking.k8s.io/v1", kind: "Gateway", name: "gateway-1", uid: "gateway-uid" },
      ],
    },
  });

export const slice = (name: string, of: string, addresses: readonly string[], inNamespace = namespace): unknown =>
  manifests.endpointSlice(
    `${inNamespace}/${name}`,
    of,
    addresses.map((address) => ({ address })),
  );

export const service = (name: string, clusterIP: string | undefined, inNamespace = namespace): unknown =>
  manifests.service(`${inNamespace}/${name}`, clusterIP === undefined ? {} : { clusterIP });

export const secret = (
  name: string,
  data: Readonly<Record<string, string>>,
  type = "kubernetes.io/tls",
  inNamespace = namespace,
): unknown => manifests.secret(`${inNamespace}/${name}`, data, type);

export const udpRoute = (name: string, spec: unknown, inNamespace = namespace): unknown => ({
  ...manifests.udpRoute(`${inNamespace}/${name}`, [], []),
  spec,
});

export const gatewayApiRoute = (name: string, spec: unknown): unknown => ({
  ...manifests.gatewayApiRoute(`${namespace}/${name}`, [], []),
  spec,
});

/** Lets objects of `from` refer to objects of `to` in the namespace `inNamespace`. */
export const referenceGrant = (from: unknown, to: unknown, inNamespace: string, name = "grant"): unknown =>
  manifests.referenceGrant(`${inNamespace}/${name}`, from, to);

export const optionsWith = (changes: Partial<RenderOptions> = {}): RenderOptions => ({ ...defaultOptions, ...changes });

export const see = (objects: Objects, options: RenderOptions = defaultOptions): ObjectsView =>
  viewOf(objects, options.endpointSource);

export const render = (objects: Objects = fixture, options: RenderOptions = defaultOptions): RenderedGateway => {
  const rendered = renderGateway(see(objects, options), options, gateway1);
  if (rendered === undefined) throw new Error("not one of our Gateways");
  return rendered;
};

export const configOf = (objects: Objects = fixture, options: RenderOptions = defaultOptions): DataplaneConfig => {
  const { config, invalid } = render(objects, options);
  if (config === undefined) throw new Error(`invalid: ${invalid}`);
  return config;
};

export const clusterOf = (objects: Objects, options: RenderOptions = defaultOptions): ClusterConfig | undefined =>
  configOf(objects, options).clusters?.[0];

export const listenerOf = (objects: Objects, name: string, options = defaultOptions): ListenerConfig | undefined =>
  configOf(objects, options).listeners?.find((listener) => listener.name === `${gateway1}/${name}`);

export const routeOf = (objects: Objects, name = "udproute-ok"): Route => {
  const route = routesOf(viewOf(objects)).find(({ object }) => object.metadata.name === name);
  if (route === undefined) throw new Error(`no route ${name}`);
  return route;
};
