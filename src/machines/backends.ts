/**
 * Endpoint machines by backend: compares the list in the EndpointSlices (or Endpoints, or a StaticService) with the
 * existing instances, and turns the difference into events. Only backends that a route names have endpoints.
 */
import type { KindMap } from "../resources/kinds.ts";
import { endpointEntity, type Backend } from "../resources/entities.ts";
import { targetOf, type Name } from "../resources/keys.ts";
import type { BackendEndpoint, RenderOptions } from "../resources/view.ts";
import { namesOfKind, type Objects } from "./objects.ts";
import { referencesOf } from "./references.ts";
import type { Registry, Transition } from "./registry.ts";
import { compareText } from "../order.ts";

export interface Backends {
  /** Updates the endpoint machines of a backend to the objects. */
  reconcile(backend: Backend): readonly Transition[];
  endpointsOfService(service: Name): { readonly found: boolean; readonly endpoints: readonly BackendEndpoint[] };
}

export const isBackend = (reference: string): reference is Backend =>
  reference.startsWith("service:") || reference.startsWith("static-service:") || reference.startsWith("cluster:");

/** The backends that a route names now, by the name of its cluster; those of a received config are clusters themselves. */
export const backendsOfRoute =
  (objects: Pick<Objects, "get">) =>
  (cluster: string): readonly Backend[] =>
    [
      `cluster:${cluster}`,
      ...(["UDPRoute", "GatewayUDPRoute"] as const).flatMap((kind) => {
        const route = objects.get(kind, cluster as Name);
        return route === undefined ? [] : referencesOf(kind, route);
      }),
    ].filter(isBackend);

interface Listed {
  readonly found: boolean;
  /** Whether the address is terminating, by address. */
  readonly addresses: ReadonlyMap<string, boolean>;
}

const listedInSlices = (slices: readonly KindMap["EndpointSlice"][]): Listed => {
  const addresses = new Map<string, boolean>();
  for (const slice of slices) {
    // A host name is not an address that can be admitted.
    if (slice.addressType === "FQDN") continue;
    for (const endpoint of slice.endpoints ?? [])
      for (const address of endpoint.addresses) {
        // Terminating only if every entry is: one slice may be older than another.
        const terminating = endpoint.conditions?.terminating === true;
        addresses.set(address, terminating && (addresses.get(address) ?? true));
      }
  }
  return { found: addresses.size > 0, addresses };
};

const listedInEndpoints = (object: KindMap["Endpoints"] | undefined): Listed => {
  const addresses = new Map<string, boolean>();
  for (const subset of object?.subsets ?? [])
    for (const { ip } of [...(subset.addresses ?? []), ...(subset.notReadyAddresses ?? [])]) addresses.set(ip, false);
  return { found: object !== undefined, addresses };
};

const listedInConfigs = (cluster: string, configs: readonly KindMap["DataplaneConfig"][]): Listed => {
  const endpoints = configs.flatMap(({ spec }) => spec.clusters?.find(({ name }) => name === cluster)?.endpoints ?? []);
  return { found: endpoints.length > 0, addresses: new Map(endpoints.map((endpoint) => [endpoint, false])) };
};

const byAddress = (a: BackendEndpoint, b: BackendEndpoint): number => compareText(a.address, b.address);

export const createBackends = (objects: Objects, registry: Registry, options: RenderOptions): Backends => {
  const found = new Map<Backend, boolean>();
  const addressesOf = new Map<Backend, Set<string>>();
  const sorted = new Map<Backend, readonly BackendEndpoint[]>();

  const listed = (backend: Backend): Listed => {
    const name = targetOf(backend);
    if (objects.referrers(backend).length === 0) return { found: false, addresses: new Map() };
    if (backend.startsWith("cluster:")) {
      const configs = namesOfKind(objects.referrers(backend), "DataplaneConfig");
      return listedInConfigs(
        name,
        configs.flatMap((config) => objects.get("DataplaneConfig", config) ?? []),
      );
    }
    if (backend.startsWith("static-service:")) {
      const prefixes = objects.get("StaticService", name)?.spec.prefixes ?? [];
      return { found: prefixes.length > 0, addresses: new Map(prefixes.map((prefix) => [prefix, false])) };
    }
    if (options.endpointSource === "Endpoints") return listedInEndpoints(objects.get("Endpoints", name));
    const slices = namesOfKind(objects.referrers(`endpoints:${name}`), "EndpointSlice");
    return listedInSlices(slices.flatMap((slice) => objects.get("EndpointSlice", slice) ?? []));
  };

  return {
    reconcile(backend) {
      const now = listed(backend);
      const before = addressesOf.get(backend) ?? new Set<string>();
      const transitions: Transition[] = [];

      // In an order that a core which began at a snapshot also has.
      for (const address of [...before].filter((one) => !now.addresses.has(one)).toSorted()) {
        transitions.push(...registry.send("endpoint", endpointEntity(backend, address), "unlisted"));
        before.delete(address);
      }
      for (const [address, terminating] of now.addresses) {
        const event = terminating ? "listed terminating" : "listed";
        transitions.push(...registry.send("endpoint", endpointEntity(backend, address), event));
        before.add(address);
      }

      if (before.size > 0) addressesOf.set(backend, before);
      else addressesOf.delete(backend);
      if (now.found) found.set(backend, true);
      else found.delete(backend);
      sorted.delete(backend);
      return transitions;
    },

    endpointsOfService(service) {
      const backend: Backend = `service:${service}`;
      let endpoints = sorted.get(backend);
      if (endpoints === undefined) {
        endpoints = [...(addressesOf.get(backend) ?? [])]
          .map((address): BackendEndpoint => {
            const state = registry.state("endpoint", endpointEntity(backend, address));
            return { address, state: state === "terminating" ? "terminating" : "active" };
          })
          .toSorted(byAddress);
        sorted.set(backend, endpoints);
      }
      return { found: found.get(backend) ?? false, endpoints };
    },
  };
};
