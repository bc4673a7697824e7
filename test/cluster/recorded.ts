/** Plays a recorded scenario's operations on a real API server, and writes down what is there as the recording does. */
import type { AnyObject } from "../../src/resources/kinds.ts";
import type { DataplaneConfig } from "../../src/resources/dataplane-config.ts";
import { annotations } from "../../src/resources/names.ts";
import type { Cluster as StandIn, Target } from "../conformance/cluster.ts";
import { observe, type Observed, type Operation } from "../conformance/scenario.ts";
import type { Client, Reference } from "./client.ts";
import type { Cluster } from "./cluster.ts";

type Json = Record<string, unknown>;

const versions: Readonly<Record<string, string>> = {
  GatewayClass: "gateway.networking.k8s.io/v1",
  Gateway: "gateway.networking.k8s.io/v1",
  UDPRoute: "stunner.l7mp.io/v1",
  GatewayConfig: "stunner.l7mp.io/v1",
  StaticService: "stunner.l7mp.io/v1",
  Dataplane: "stunner.l7mp.io/v1",
  EndpointSlice: "discovery.k8s.io/v1",
  Deployment: "apps/v1",
};

const referenceOf = ({ kind, name, namespace }: Target): Reference => ({
  apiVersion: versions[kind] ?? "v1",
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
});

/** Recordings have the UDPRoutes of Gateway API in this version. */
const RECORDED_ROUTE = "gateway.networking.k8s.io/v1alpha2";

export type RouteVersion = "v1" | "v1alpha2";

/** @param routeVersion in which the cluster takes UDPRoutes of Gateway API */
export const perform = async (
  client: Client,
  operation: Operation,
  routeVersion: RouteVersion = "v1alpha2",
): Promise<void> => {
  if ("apply" in operation) {
    const { status, ...recorded } = operation.apply as unknown as Reference & { readonly status?: unknown };
    const isRoute = recorded.apiVersion === RECORDED_ROUTE;
    const object = isRoute ? { ...recorded, apiVersion: `gateway.networking.k8s.io/${routeVersion}` } : recorded;
    await client.apply(object, { fieldManager: "scenario" });
    if (status !== undefined) await client.patchStatus(object, status);
  } else if ("delete" in operation) await client.delete(referenceOf(operation.delete));
  else if ("mergePatch" in operation) await client.patch(referenceOf(operation.mergePatch), operation.mergePatch.patch);
  else if ("status" in operation) {
    const { patch } = operation.status as { readonly patch: Json };
    await client.patch(referenceOf(operation.status), patch, { subresource: "/status" });
  }
};

/** What the API server assigns, and what the recording leaves out. */
const ASSIGNED = [
  "clusterIP",
  "clusterIPs",
  "ipFamilies",
  "ipFamilyPolicy",
  "healthCheckNodePort",
  "internalTrafficPolicy",
  "allocateLoadBalancerNodePorts",
];
const BOOKKEEPING = /^(deployment\.kubernetes\.io|kubectl\.kubernetes\.io)\//;

const withoutAssigned = (object: AnyObject): AnyObject => {
  const { annotations: all = {}, ...metadata } = object.metadata;
  const kept = Object.entries(all).filter(([key]) => !BOOKKEEPING.test(key));
  const spec = { ...(object as { readonly spec?: Json }).spec };
  if (object.kind === "Service") for (const field of ASSIGNED) delete spec[field];
  const wanted = all[annotations.nodePort] ?? "";
  if (object.kind === "Service" && Array.isArray(spec["ports"]))
    spec["ports"] = spec["ports"].map((port: Json) =>
      port["nodePort"] === undefined || wanted.includes(JSON.stringify(port["nodePort"]))
        ? port
        : { ...port, nodePort: "assigned" },
    );
  return { ...object, metadata: { ...metadata, annotations: Object.fromEntries(kept) }, spec };
};

const KINDS = [
  ["gateway.networking.k8s.io/v1", "GatewayClass"],
  ["gateway.networking.k8s.io/v1", "Gateway"],
  [RECORDED_ROUTE, "UDPRoute"],
  ["stunner.l7mp.io/v1", "UDPRoute"],
  ["v1", "Service"],
  ["apps/v1", "Deployment"],
] as const;

export const observeCluster = async (
  cluster: Cluster,
  configs: readonly DataplaneConfig[],
  routeVersion: RouteVersion = "v1alpha2",
): Promise<Observed> => {
  const lists = await Promise.all(
    KINDS.map(async ([apiVersion, kind]) => {
      const served = apiVersion === RECORDED_ROUTE ? `gateway.networking.k8s.io/${routeVersion}` : apiVersion;
      const objects = await cluster.client.list<AnyObject>({ apiVersion: served, kind });
      return objects.map((object) => withoutAssigned({ ...object, apiVersion, kind }));
    }),
  );
  // Ports that the API server chose; those that somebody asked for are written down as they are.
  const asked = lists
    .flat()
    .map(({ metadata }) => metadata.annotations?.[annotations.nodePort] ?? "")
    .join();
  const named = configs.map((config) => ({
    ...config,
    ...(config.listeners && {
      listeners: config.listeners.map((listener) =>
        listener.public_port !== undefined &&
        listener.public_port >= 30_000 &&
        !asked.includes(String(listener.public_port))
          ? { ...listener, public_port: "assigned" as unknown as number }
          : listener,
      ),
    }),
  }));
  return observe({
    list: () => lists.flat(),
    configs: Object.fromEntries(named.map((config) => [config.admin.name, config])),
  } as unknown as StandIn);
};
