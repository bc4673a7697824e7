/** Recorded scenarios, how they are played, and how what came of them is written down. */
import { readdirSync, readFileSync } from "node:fs";
import type { AnyObject } from "../../src/resources/kinds.ts";
import type { DataplaneConfig } from "../../src/resources/dataplane-config.ts";
import { nameOfObject } from "../../src/resources/keys.ts";
import { OWNED_BY_LABEL, OWNED_BY_VALUE } from "../../src/resources/names.ts";
import type { RenderOptions } from "../../src/resources/view.ts";
import { makeCertificate } from "../support/certificate.ts";
import { defaultOptions, kindIdOf } from "../render/view.ts";
import { isAssignedNodePort } from "./api-defaults.ts";
import type { Cluster, Renderer, Target } from "./cluster.ts";
import { compareText } from "../../src/order.ts";

export type Operation =
  | { readonly apply: AnyObject }
  | { readonly delete: Target }
  | { readonly mergePatch: Target & { readonly patch: unknown } }
  | { readonly status: Target & { readonly patch: unknown } }
  | { readonly terminate: string };

export interface Observed {
  readonly configs: Readonly<Record<string, unknown>>;
  readonly objects: Readonly<Record<string, unknown>>;
  readonly status: Readonly<Record<string, unknown>>;
}

export interface Scenario {
  readonly name: string;
  readonly operatorArgs: readonly string[];
  readonly stages: readonly { readonly stage: string; readonly do: readonly Operation[]; readonly expect: Observed }[];
}

const folder = new URL("./scenarios/", import.meta.url);

/** The recorded Secrets have no real certificates, which a dataplane could not serve: they are given some. */
const real = makeCertificate();
const dummy = (what: string, bytes: string): string =>
  Buffer.from(`-----BEGIN ${what}-----\n${bytes}\n-----END ${what}-----\n`).toString("base64");
const withCertificates = (text: string): string =>
  text.replaceAll(dummy("CERTIFICATE", "Zm9v"), real.cert64).replaceAll(dummy("PRIVATE KEY", "YmFy"), real.key64);

export const scenarios: readonly Scenario[] = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .toSorted()
  .map((file): Scenario => JSON.parse(withCertificates(readFileSync(new URL(file, folder), "utf8"))));

export const optionsOf = ({ operatorArgs }: Scenario): RenderOptions => ({
  ...defaultOptions,
  endpointDiscovery: !operatorArgs.includes("--endpoint-discovery=false"),
  endpointSource: operatorArgs.includes("--disable-endpontslice-controller") ? "Endpoints" : "EndpointSlice",
});

/** Carries out a stage's operations and lets everything come to rest. */
export const play = async (cluster: Cluster, renderer: Renderer, operations: readonly Operation[]): Promise<void> => {
  for (const operation of operations) {
    if ("apply" in operation) cluster.apply(operation.apply);
    else if ("delete" in operation) cluster.delete(operation.delete);
    else if ("mergePatch" in operation) cluster.mergePatch(operation.mergePatch, operation.mergePatch.patch);
    else if ("status" in operation) cluster.mergePatch(operation.status, operation.status.patch);
    else return cluster.stop(renderer);
  }
  await cluster.settle(renderer);
};

type Json = Readonly<Record<string, unknown>>;

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => compareText(a.name, b.name);

const observedConfig = (config: DataplaneConfig): Json => ({
  ...config,
  ...(config.listeners && {
    listeners: config.listeners.map((listener) => ({
      ...listener,
      ...(isAssignedNodePort(listener.public_port) && { public_port: "assigned" }),
      routes: (listener.routes ?? []).toSorted(),
    })),
  }),
  clusters: (config.clusters ?? [])
    .map((cluster) => ({ ...cluster, endpoints: (cluster.endpoints ?? []).toSorted() }))
    .toSorted(byName),
});

const observedObject = (object: AnyObject): Json => {
  const { name, namespace, labels, annotations, ownerReferences } = object.metadata;
  const spec = (object as { readonly spec?: Json }).spec ?? {};
  const ports = spec["ports"];
  return {
    metadata: {
      name,
      namespace,
      labels,
      annotations,
      ownerReferences: ownerReferences?.map(({ apiVersion, kind, name: owner }) => ({ apiVersion, kind, name: owner })),
    },
    spec: {
      ...spec,
      ...(Array.isArray(ports) && {
        ports: ports.map((port: Json) => ({
          ...port,
          ...(isAssignedNodePort(port["nodePort"]) && { nodePort: "assigned" }),
        })),
      }),
    },
  };
};

interface RawCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly observedGeneration?: number;
}

const observedStatus = (object: AnyObject): Json => {
  const status = ((object as { readonly status?: Json }).status ?? {}) as {
    readonly conditions?: readonly RawCondition[];
    readonly addresses?: readonly unknown[];
    readonly listeners?: readonly (Json & { readonly conditions: readonly RawCondition[] })[];
    readonly parents?: readonly (Json & { readonly conditions: readonly RawCondition[] })[];
  };
  const conditions = (raw: readonly RawCondition[] = []): readonly unknown[] =>
    raw
      .map(({ type, status: value, reason, observedGeneration }) => ({
        type,
        status: value,
        reason,
        current: observedGeneration === object.metadata.generation,
      }))
      .toSorted((a, b) => compareText(a.type, b.type));
  switch (kindIdOf(object)) {
    case "GatewayClass":
      return { conditions: conditions(status.conditions) };
    case "Gateway":
      return {
        addresses: status.addresses ?? [],
        conditions: conditions(status.conditions),
        listeners: (status.listeners ?? []).map((one) => ({ ...one, conditions: conditions(one.conditions) })),
      };
    default:
      return { parents: (status.parents ?? []).map((one) => ({ ...one, conditions: conditions(one.conditions) })) };
  }
};

const statusKinds = new Map([
  ["GatewayClass", "GatewayClass"],
  ["Gateway", "Gateway"],
  ["UDPRoute", "UDPRoute"],
  ["GatewayUDPRoute", "UDPRoute.v1alpha2"],
]);

/** The cluster as a scenario writes it down. */
export const observe = (cluster: Cluster): Observed => {
  const objects = cluster.list();
  const written = objects.flatMap((object): readonly (readonly [string, Json])[] => {
    const kind = kindIdOf(object);
    const label = statusKinds.get(kind);
    return label === undefined ? [] : [[`${label}/${nameOfObject(kind, object)}`, observedStatus(object)]];
  });
  const owned = objects
    .filter(({ kind }) => kind === "Service" || kind === "Deployment")
    .filter(({ metadata }) => metadata.labels?.[OWNED_BY_LABEL] === OWNED_BY_VALUE)
    .map((object) => [`${object.kind}/${nameOfObject(kindIdOf(object), object)}`, observedObject(object)] as const);
  const observed = {
    configs: Object.fromEntries(
      Object.entries(cluster.configs).map(([name, config]) => [name, observedConfig(config)] as const),
    ),
    objects: Object.fromEntries(owned),
    status: Object.fromEntries(written),
  };
  // Through JSON, so that an absent field and one that is undefined are the same.
  return JSON.parse(JSON.stringify(observed)) as Observed;
};
