/** Where the endpoints of backends contain the peer, or once contained it. */
import { endpointEntity, type Backend } from "../resources/entities.ts";
import { parseEndpoint } from "../net/endpoint.ts";
import { bitsOf, parseIp, type Ip } from "../net/ip.ts";
import { renderCluster } from "../render/clusters.ts";
import { denials } from "../reasons.ts";
import { keyOf, nameOf, nameOfObject, splitName } from "../resources/keys.ts";
import { SERVICE_NAME_LABEL } from "../resources/names.ts";
import { routesOf, type Route } from "../resources/view.ts";
import { seen, type Inquiry } from "./inquiry.ts";
import type { Step } from "./step.ts";

/** Whether the address or prefix of `endpoint` contains `peer`, whatever its ports. */
export const contains = (endpoint: string, peer: Ip): boolean => {
  const parsed = parseEndpoint(endpoint);
  return (
    parsed !== undefined &&
    parsed.family === peer.family &&
    peer.value >> BigInt(bitsOf(peer.family) - parsed.length) === parsed.prefix
  );
};

/** Whether the cluster of `route` lists the peer, attached or not. */
export const routeLists = ({ past, question: { peer } }: Inquiry, route: Route): boolean => {
  const { cluster, draining } = renderCluster(past.view, past.options, route);
  return [...(cluster?.endpoints ?? []), ...draining].some((endpoint) => contains(endpoint, peer));
};

/** Reports that the peer was once an endpoint of `backend`. */
export const formerEndpoint = ({ past, question: { peer } }: Inquiry, backend: Backend): readonly Step[] => {
  const entity = endpointEntity(backend, peer.text);
  const move = past.move("endpoint", entity);
  if (move === undefined || move.data.to !== "gone") return [];
  const chain = past.chain(move.seq);
  const because = chain.at(-2);
  const seconds = Math.max(0, Math.round((past.time - move.time) / 1000));
  return [
    {
      about: `endpoint ${entity}`,
      code: "revoked",
      says: `removed ${seconds} s ago${because === undefined ? "" : `: event ${because.seq} (${because.says}) no longer lists it`}`,
      todo: denials.revoked.todo,
      events: chain.map(({ seq }) => seq),
      steps: [],
    },
  ];
};

/** The Services whose EndpointSlices contain the peer, but which no route names. */
export const unroutedServices = (inquiry: Inquiry): readonly Step[] => {
  const {
    past: { view },
    question: { peer },
  } = inquiry;
  const named = new Set(
    routesOf(view).flatMap((route) =>
      (route.object.spec.rules[0]?.backendRefs ?? []).map(({ namespace, name }) =>
        nameOf(namespace ?? splitName(route.name).namespace, name),
      ),
    ),
  );
  return view.list("EndpointSlice").flatMap((slice): readonly Step[] => {
    const has = slice.endpoints?.some(({ addresses }) =>
      addresses.some((address) => parseIp(address)?.text === peer.text),
    );
    const service = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    const name = nameOf(slice.metadata.namespace ?? "default", service ?? "");
    if (has !== true || service === undefined || named.has(name)) return [];
    return [
      {
        about: `Service ${name}`,
        code: "service-not-routed",
        says: `${peer.text} is one of its endpoints, but no route refers to it`,
        todo: `add a backendRef to Service ${name} to a route of the Gateway`,
        events: seen(inquiry, keyOf("EndpointSlice", nameOfObject("EndpointSlice", slice))),
        steps: [],
      },
    ];
  });
};
