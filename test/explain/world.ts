/** A small cluster in which one peer can be reached, and its log: what `explain` is asked about. */
import { createHistory, gone, seen, synced, type History } from "../support/given.ts";
import type { Fact } from "../../src/journal/fact.ts";
import type { AnyObject, KindId } from "../../src/resources/kinds.ts";
import { standaloneOptions } from "../../src/runtime/options.ts";
import type { RenderOptions } from "../../src/resources/view.ts";

type Named = { readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: unknown } };
export type Made = readonly [KindId, AnyObject];

const make = (kind: KindId, apiVersion: string, object: Named & Record<string, unknown>): Made => [
  kind,
  { apiVersion, kind: kind === "GatewayUDPRoute" ? "UDPRoute" : kind, ...object } as unknown as AnyObject,
];

const GATEWAY_API = "gateway.networking.k8s.io/v1";
const STUNNER = "stunner.l7mp.io/v1";

export const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): Made =>
  make("Namespace", "v1", { metadata: { name, labels } });

export const gatewayClass = (spec: Readonly<Record<string, unknown>> = {}): Made =>
  make("GatewayClass", GATEWAY_API, {
    metadata: { name: "turnpike" },
    spec: {
      controllerName: "stunner.l7mp.io/gateway-operator",
      parametersRef: { group: "stunner.l7mp.io", kind: "GatewayConfig", name: "config", namespace: "system" },
      ...spec,
    },
  });

export const gatewayConfig = (spec: Readonly<Record<string, unknown>> = {}): Made =>
  make("GatewayConfig", STUNNER, {
    metadata: { name: "config", namespace: "system" },
    spec: { authType: "static", userName: "user", password: "pass", ...spec },
  });

export const listener = (more: Readonly<Record<string, unknown>> = {}) => ({
  name: "udp",
  port: 3478,
  protocol: "TURN-UDP",
  ...more,
});

export const gateway = (listeners: readonly unknown[] = [listener()], name = "gw"): Made =>
  make("Gateway", GATEWAY_API, {
    metadata: { name, namespace: "media" },
    spec: { gatewayClassName: "turnpike", listeners },
  });

export const backend = (more: Readonly<Record<string, unknown>> = {}) => ({ name: "sfu", ...more });

interface RouteOptions {
  readonly kind?: "UDPRoute" | "GatewayUDPRoute";
  readonly name?: string;
  readonly namespace?: string;
  readonly parents?: readonly unknown[];
  readonly backends?: readonly unknown[];
}

export const route = ({
  kind = "UDPRoute",
  name = "calls",
  namespace: inNamespace = "media",
  parents = [{ name: "gw" }],
  backends = [backend()],
}: RouteOptions = {}): Made =>
  make(kind, kind === "UDPRoute" ? STUNNER : "gateway.networking.k8s.io/v1alpha2", {
    metadata: { name, namespace: inNamespace },
    spec: { parentRefs: parents, rules: [{ backendRefs: backends }] },
  });

export const service = (name = "sfu", inNamespace = "media"): Made =>
  make("Service", "v1", { metadata: { name, namespace: inNamespace }, spec: { clusterIP: "10.96.0.7" } });

export const slice = (
  addresses: readonly string[],
  more: { name?: string; namespace?: string; terminating?: boolean } = {},
) =>
  make("EndpointSlice", "discovery.k8s.io/v1", {
    metadata: {
      name: `${more.name ?? "sfu"}-1`,
      namespace: more.namespace ?? "media",
      labels: { "kubernetes.io/service-name": more.name ?? "sfu" },
    },
    addressType: "IPv4",
    endpoints: addresses.map((address) => ({
      addresses: [address],
      conditions: { ready: more.terminating !== true, terminating: more.terminating === true },
    })),
    ports: [],
  });

export const staticService = (prefixes: readonly string[], name = "sfu"): Made =>
  make("StaticService", STUNNER, { metadata: { name, namespace: "media" }, spec: { prefixes } });

export const grant = (): Made =>
  make("ReferenceGrant", "gateway.networking.k8s.io/v1beta1", {
    metadata: { name: "calls", namespace: "other" },
    spec: {
      from: [{ group: "gateway.networking.k8s.io", kind: "UDPRoute", namespace: "media" }],
      to: [{ group: "", kind: "Service" }],
    },
  });

const dataplane: Made = make("Dataplane", STUNNER, { metadata: { name: "default" }, spec: {} });

/** All that it takes for clients of `media/gw` to reach 10.1.0.7. */
export const wholeWorld: readonly Made[] = [
  dataplane,
  namespace("media"),
  namespace("other", { team: "other" }),
  gatewayClass(),
  gatewayConfig(),
  gateway(),
  route(),
  service(),
  slice(["10.1.0.7"]),
];

export const facts = (made: readonly Made[]): readonly Fact[] => made.map(([kind, object]) => seen(kind, object));

const isSame = ([kind, { metadata }]: Made, [other, { metadata: otherMetadata }]: Made): boolean =>
  kind === other && metadata.name === otherMetadata.name && metadata.namespace === otherMetadata.namespace;

/** The whole world, with these objects in the place of theirs or beside them, and without those of `less`. */
export const worldWith = (objects: readonly Made[] = [], less: readonly Made[] = []): readonly Made[] => [
  ...wholeWorld.filter((one) => ![...objects, ...less].some((other) => isSame(one, other))),
  ...objects,
];

export const managed = (overrides: Partial<RenderOptions> = {}): RenderOptions => ({
  ...standaloneOptions("192.0.2.1"),
  mode: "managed",
  ...overrides,
});

/** Its log up to the moment when everything is listed. */
export const historyOf = (made: readonly Made[], options: RenderOptions = managed()): History => {
  const history = createHistory(options);
  history.take(...facts(made), synced, { type: "lease.acquired", data: { holder: "test" } });
  return history;
};

export const removed = ([kind, { metadata }]: Made): Fact =>
  gone(kind, metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`);
