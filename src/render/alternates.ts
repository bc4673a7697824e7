/**
 * Where the dataplanes of a public Gateway send new clients while they drain: the nodes whose dataplane serves. Only
 * dataplanes in the network of their node have an address of their own that clients reach.
 */
import type { EndpointSlice, Node } from "../resources/core.ts";
import type { AlternateConfig } from "../resources/dataplane-config.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import { nameOf, type Name } from "../resources/keys.ts";
import { MAX_ALTERNATES, NODE_ADDRESS_PLACEHOLDER } from "../resources/names.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";
import { familyOf } from "../net/address.ts";
import { isIP } from "../net/ip.ts";
import { compareText } from "../order.ts";
import { relayAddressPlaceholder } from "./annotations.ts";
import { namesNoAlternates } from "./rules.ts";

type Endpoint = NonNullable<EndpointSlice["endpoints"]>[number];

/** Absent conditions mean that the pod is ready. A pod that drains is ready, but not in its EndpointSlice. */
const serves = ({ conditions }: Endpoint): boolean => conditions?.ready !== false && conditions?.terminating !== true;

const isInNetworkOf = (node: Node | undefined, { addresses }: Endpoint): boolean =>
  node?.status?.addresses?.some(({ address }) => addresses.includes(address)) === true;

/** The first external address of each family. */
const externalAddresses = (node: Node | undefined): readonly string[] => {
  const external = (node?.status?.addresses ?? [])
    .filter(({ type, address }) => type === "ExternalIP" && isIP(address))
    .map(({ address }) => address);
  return external.filter(
    (address, place) => external.findIndex((one) => familyOf(one) === familyOf(address)) === place,
  );
};

/**
 * Sorted by node, one more than a dataplane uses: none of them is sent to itself. A node with a pod that ends is left out
 * even if the next one is ready: both would need its ports.
 */
export const renderAlternates = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  gateway: Gateway,
): readonly AlternateConfig[] => {
  if (namesNoAlternates(options) || relayAddressPlaceholder(gateway, options) !== NODE_ADDRESS_PLACEHOLDER) return [];
  // The Service of a Gateway has its name.
  const endpoints = view.slicesOfService(name).flatMap((slice) => slice.endpoints ?? []);
  const byNode = Map.groupBy(endpoints, ({ nodeName }) => nodeName ?? "");
  return [...byNode]
    .filter(([, ofNode]) => ofNode.every(serves))
    .toSorted(([a], [b]) => compareText(a, b))
    .flatMap(([node, ofNode]) => {
      const object = view.get("Node", nameOf(undefined, node));
      const addresses = externalAddresses(object);
      return addresses.length > 0 && ofNode.some((one) => isInNetworkOf(object, one)) ? [{ node, addresses }] : [];
    })
    .slice(0, MAX_ALTERNATES + 1);
};
