/** A small cluster in which one peer can be reached, and its log: what `explain` is asked about. */
import { createHistory, gone, seen, synced, type History } from "../support/given.ts";
import * as manifests from "../support/manifests.ts";
import type { Fact } from "../../src/journal/fact.ts";
import type { AnyObject, KindId } from "../../src/resources/kinds.ts";
import { standaloneOptions } from "../../src/runtime/options.ts";
import type { RenderOptions } from "../../src/resources/view.ts";

export type Made = readonly [KindId, AnyObject];

export const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): Made => [
  "Namespace",
  manifests.namespace(name, labels),
];

export const gatewayClass = (spec: Readonly<Record<string, unknown>> = {}): Made => [
  "GatewayClass",
  manifests.gatewayClass("turnpike", "system/config", spec),
];

export const gatewayConfig = (spec: Readonly<Record<string, unknown>> = {}): Made => [
  "GatewayConfig",
  manifests.gatewayConfig("system/config", { authType: "static", userName: "user", password: "pass", ...spec }),
];

export const listener = (more: Readonly<Record<string, unknown>> = {}) => ({
  name: "udp",
  port: 3478,
  protocol: "TURN-UDP",
  ...more,
});

export const gateway = (listeners: readonly unknown[] = [listener()], name = "gw"): Made => [
  "Gateway",
  manifests.gateway(`media/${name}`, "turnpike", listeners),
];

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
}: RouteOptions = {}): Made => [
  kind,
  (kind === "UDPRoute" ? manifests.udpRoute : manifests.gatewayApiRoute)(`${inNamespace}/${name}`, parents, backends),
];

export const service = (name = "sfu", inNamespace = "media"): Made => [
  "Service",
  manifests.service(`${inNamespace}/${name}`, { clusterIP: "10.96.0.7" }),
];

export const slice = (
  addresses: readonly string[],
  {
    name = "sfu",
    namespace: inNamespace = "media",
    terminating = false,
  }: { name?: string; namespace?: string; terminating?: boolean } = {},
): Made => [
  "EndpointSlice",
  manifests.endpointSlice(
    `${inNamespace}/${name}-1`,
    name,
    addresses.map((address) => ({ address, terminating })),
  ),
];

export const staticService = (prefixes: readonly string[], name = "sfu"): Made => [
  "StaticService",
  manifests.staticService(`media/${name}`, prefixes),
];

export const grant = (): Made => [
  "ReferenceGrant",
  manifests.referenceGrant(
    "other/calls",
    { group: manifests.GATEWAY_API, kind: "UDPRoute", namespace: "media" },
    { group: "", kind: "Service" },
  ),
];

const dataplane: Made = ["Dataplane", manifests.dataplane()];

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
