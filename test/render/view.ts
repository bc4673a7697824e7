/** An `ObjectsView` of plain manifests: what the core would see with exactly these objects. */
import { operatorOptions } from "../../src/runtime/options.ts";
import type { EndpointSlice, Endpoints } from "../../src/resources/core.ts";
import { nameOf, nameOfObject, type Name } from "../../src/resources/keys.ts";
import { findKind, type AnyObject, type KindId, type KindMap } from "../../src/resources/kinds.ts";
import { GATEWAY_API_GROUP, RELATED_GATEWAY_NAME, SERVICE_NAME_LABEL } from "../../src/resources/names.ts";
import {
  routesOf,
  type BackendEndpoint,
  type ObjectsView,
  type RenderOptions,
  type Route,
} from "../../src/resources/view.ts";
import { compareText } from "../../src/order.ts";

export const kindIdOf = (object: AnyObject): KindId => {
  const kind = findKind(object.apiVersion, object.kind);
  if (kind === undefined) throw new Error(`unknown kind ${object.apiVersion} ${object.kind}`);
  return kind.id;
};

interface Seen {
  readonly address: string;
  readonly terminating: boolean;
}

const seenInSlices = (slices: readonly EndpointSlice[]): readonly Seen[] =>
  slices.flatMap((slice) =>
    (slice.endpoints ?? []).flatMap(({ addresses, conditions }) =>
      addresses.map((address) => ({ address, terminating: conditions?.terminating === true })),
    ),
  );

const seenInSubsets = (endpoints: Endpoints | undefined): readonly Seen[] =>
  (endpoints?.subsets ?? []).flatMap((subset) =>
    [...(subset.addresses ?? []), ...(subset.notReadyAddresses ?? [])].map(({ ip }) => ({
      address: ip,
      terminating: false,
    })),
  );

/** Terminating only where every entry of the address says so. */
const endpointsOf = (seen: readonly Seen[]): readonly BackendEndpoint[] => {
  const byAddress = Map.groupBy(seen, ({ address }) => address);
  return [...byAddress]
    .map(([address, entries]): BackendEndpoint => ({
      address,
      state: entries.every(({ terminating }) => terminating) ? "terminating" : "active",
    }))
    .toSorted((a, b) => compareText(a.address, b.address));
};

const parentsOf = (route: Route): readonly Name[] =>
  (route.object.spec.parentRefs ?? [])
    .filter(({ group = GATEWAY_API_GROUP, kind = "Gateway" }) => group === GATEWAY_API_GROUP && kind === "Gateway")
    .map(({ namespace = route.object.metadata.namespace ?? "default", name }) => nameOf(namespace, name));

export const viewOf = (
  objects: readonly AnyObject[],
  source: RenderOptions["endpointSource"] = "EndpointSlice",
): ObjectsView => {
  const byKind = new Map<KindId, Map<Name, AnyObject>>();
  for (const object of objects) {
    const kind = kindIdOf(object);
    const named = byKind.get(kind) ?? new Map<Name, AnyObject>();
    byKind.set(kind, named.set(nameOfObject(kind, object), object));
  }
  const get = <K extends KindId>(kind: K, name: Name): KindMap[K] | undefined =>
    byKind.get(kind)?.get(name) as KindMap[K] | undefined;
  const list = <K extends KindId>(kind: K): readonly KindMap[K][] =>
    [...(byKind.get(kind) ?? [])].toSorted(([a], [b]) => compareText(a, b)).map(([, object]) => object as KindMap[K]);

  const view: ObjectsView = {
    get,
    list,
    gatewaysOfClass: (className) => list("Gateway").filter((gateway) => gateway.spec.gatewayClassName === className),
    routesOfGateway: (gateway) => routesOf(view).filter((route) => parentsOf(route).includes(gateway)),
    servicesOfGateway: (gateway) =>
      list("Service").filter((service) => service.metadata.annotations?.[RELATED_GATEWAY_NAME] === gateway),
    grantsOfNamespace: (namespace) =>
      list("ReferenceGrant").filter(({ metadata }) => (metadata.namespace ?? "default") === namespace),
    refusalOf: () => undefined,
    lastCertificateOf: () => undefined,
    slicesOfService: (service) =>
      list("EndpointSlice").filter(
        ({ metadata }) => nameOf(metadata.namespace, metadata.labels?.[SERVICE_NAME_LABEL] ?? "") === service,
      ),
    endpointsOfService: (service) => {
      if (source === "Endpoints") {
        const object = get("Endpoints", service);
        return { found: object !== undefined, endpoints: endpointsOf(seenInSubsets(object)) };
      }
      const endpoints = endpointsOf(seenInSlices(view.slicesOfService(service)));
      return { found: endpoints.length > 0, endpoints };
    },
  };
  return view;
};

/** What the operator is started with when nobody asks for anything. */
export const defaultOptions: RenderOptions = operatorOptions({ discoveryAddress: "127.0.0.1:13478" });
