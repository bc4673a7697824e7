/**
 * The egress NetworkPolicy of a Gateway's dataplane, if the Gateway asks for one: its pods reach the peers that routes name,
 * what they need to run, and nothing else. Clients reach them as before: it does not restrict ingress.
 *
 * Everything is spelled out (ports as ranges, selectors as expressions), so that comparing it with the object in the cluster
 * finds each difference.
 */
import { parseEndpoint } from "../net/endpoint.ts";
import { parseHostPort } from "../net/host-port.ts";
import { isIP } from "../net/ip.ts";
import type { PortRange } from "../net/port-range.ts";
import type { NetworkPolicy, ServicePort } from "../resources/core.ts";
import type { BackendReference, Gateway } from "../resources/gateway-api.ts";
import { httpBackendsOf } from "../resources/http-backends.ts";
import { nameOf, splitName, type Name } from "../resources/keys.ts";
import {
  annotations as keys,
  DISCOVERY_LABEL,
  DISCOVERY_PORT,
  NETWORK_POLICY_ENABLED,
  STUNNER_GROUP,
} from "../resources/names.ts";
import type { Dataplane } from "../resources/stunner.ts";
import type { ObjectsView, RenderOptions, Route } from "../resources/view.ts";
import type { AnnotationProblem } from "./annotation-problems.ts";
import { attachedRoutes, type Attachments } from "./attachment.ts";
import { portsProblem } from "./clusters.ts";
import { portsOf } from "./endpoints.ts";
import { mayReferToService } from "./grants.ts";
import { runsDataplane } from "./objects.ts";
import { infrastructureOf, ownedLabels, ownerReference, podLabels, relatedAnnotation } from "./ownership.ts";

interface Selector {
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: "In";
    readonly values: readonly string[];
  }[];
}

type Peer =
  | { readonly ipBlock: { readonly cidr: string } }
  | { readonly namespaceSelector: Selector; readonly podSelector: Selector };

interface Port {
  readonly protocol: "UDP" | "TCP";
  /** A number, or the name of a pod's port. */
  readonly port: number | string;
  readonly endPort?: number;
}

/** Without `to`, any destination. */
interface Rule {
  readonly to?: readonly Peer[];
  readonly ports: readonly Port[];
}

const DNS_PORTS = [53, 5353] as const;

const selectorOf = (labels: Readonly<Record<string, string>>): Selector => ({
  matchExpressions: Object.entries(labels).map(([key, value]) => ({ key, operator: "In", values: [value] })),
});

const rangeOf = (protocol: Port["protocol"], { first, last }: PortRange): Port => ({
  protocol,
  port: first,
  endPort: last,
});
const single = (protocol: Port["protocol"], port: number | string): Port =>
  typeof port === "number" ? rangeOf(protocol, { first: port, last: port }) : { protocol, port };

/** An address or prefix; undefined if it is neither. */
const blockOf = (text: string): Peer | undefined => {
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) return undefined;
  const address = text.split("/")[0] ?? "";
  return { ipBlock: { cidr: `${address}/${endpoint.length}` } };
};

const blocksOf = (texts: readonly string[]): readonly Peer[] => texts.flatMap((text) => blockOf(text) ?? []);

/**
 * The pods of a Service, by its selector; without one, the addresses of its endpoints. Its cluster IP, too: whether a policy
 * applies before or after it is replaced by a pod's address is up to the cluster's network.
 */
const peersOfService = (view: ObjectsView, options: RenderOptions, name: Name): readonly Peer[] => {
  const { selector = {}, clusterIP, type } = view.get("Service", name)?.spec ?? {};
  if (type === "ExternalName") return [];
  const isSelective = Object.keys(selector).length > 0;
  const pods: Peer = {
    namespaceSelector: selectorOf({ "kubernetes.io/metadata.name": splitName(name).namespace }),
    podSelector: selectorOf(selector),
  };
  const addresses = view.endpointsOfService(name).endpoints.map(({ address }) => address);
  return [
    ...(isSelective ? [pods] : blocksOf(addresses)),
    ...(options.relayToClusterIP && clusterIP ? blocksOf([clusterIP]) : []),
  ];
};

/** The ports of pods that a Service's `ports` lead to, beyond those of the same number in `range`. */
const targetPorts = (
  protocol: Port["protocol"],
  ports: readonly ServicePort[],
  { first, last }: PortRange,
): readonly Port[] => {
  const targets = ports
    .filter((one) => (one.protocol ?? "TCP") === protocol && one.port >= first && one.port <= last)
    .map(({ port, targetPort }) => targetPort ?? port)
    .filter((target) => typeof target === "string" || target < first || target > last);
  return [...new Set(targets)].map((target) => single(protocol, target));
};

const ruleOf = (to: readonly Peer[], ports: readonly Port[]): readonly Rule[] =>
  // Without peers a rule would allow every destination.
  to.length === 0 ? [] : [{ to, ports }];

const ALL: PortRange = { first: 1, last: 65_535 };

const backendRules = (
  view: ObjectsView,
  options: RenderOptions,
  route: Route,
  backend: BackendReference,
): readonly Rule[] => {
  const { group = "", kind = "Service" } = backend;
  if (portsProblem(options, route, backend) !== undefined) return [];
  const name = nameOf(backend.namespace ?? splitName(route.name).namespace, backend.name);
  // The port of a Gateway API route limits nothing.
  const range = route.kind === "UDPRoute" ? portsOf(backend) : ALL;
  if (group === STUNNER_GROUP && kind === "StaticService")
    return ruleOf(blocksOf(view.get("StaticService", name)?.spec.prefixes ?? []), [rangeOf("UDP", range)]);
  if (group !== "" || kind !== "Service" || !mayReferToService(view, options, route, name)) return [];
  const { ports = [] } = view.get("Service", name)?.spec ?? {};
  return ruleOf(peersOfService(view, options, name), [rangeOf("UDP", range), ...targetPorts("UDP", ports, range)]);
};

/** Only the first rule of a route counts. */
const routeRules = (view: ObjectsView, options: RenderOptions, attachments: Attachments): readonly Rule[] =>
  attachedRoutes(attachments).flatMap((route) =>
    (route.object.spec.rules[0]?.backendRefs ?? []).flatMap((backend) => backendRules(view, options, route, backend)),
  );

/** Web servers that share a listener's port. */
const httpRules = (view: ObjectsView, options: RenderOptions, gateway: Gateway): readonly Rule[] =>
  [...httpBackendsOf(gateway.metadata.annotations).backends.entries.values()].flatMap(({ service, port }) => {
    const name = nameOf(gateway.metadata.namespace, service);
    const range = { first: port, last: port };
    const targets = targetPorts("TCP", view.get("Service", name)?.spec?.ports ?? [], range);
    return ruleOf(peersOfService(view, { ...options, relayToClusterIP: true }, name), [
      rangeOf("TCP", range),
      ...targets,
    ]);
  });

/** Where configs come from: pods with the label of config discovery, if the address is the name of a Service. */
const discoveryRule = ({ discoveryAddress }: RenderOptions): Rule => {
  const { host = discoveryAddress, port = DISCOVERY_PORT } = parseHostPort(discoveryAddress) ?? {};
  const ports = [...new Set([port, DISCOVERY_PORT])].map((one) => single("TCP", one));
  if (isIP(host)) return { to: blocksOf([host]), ports };
  if (!/\.svc(\.|$)/.test(host)) return { ports };
  return { to: [{ namespaceSelector: {}, podSelector: selectorOf({ [DISCOVERY_LABEL]: "enabled" }) }], ports };
};

/** To any address: clusters differ in where their DNS is, and in its port. */
const dnsRules: readonly Rule[] = (["UDP", "TCP"] as const).map((protocol) => ({
  ports: DNS_PORTS.map((port) => single(protocol, port)),
}));

const isAsked = (gateway: Gateway): boolean =>
  gateway.metadata.annotations?.[keys.networkPolicy] === NETWORK_POLICY_ENABLED;

/** Why no policy is made although the Gateway asks for one. */
export const networkPolicyProblems = (
  options: RenderOptions,
  gateway: Gateway,
  dataplane: Dataplane | undefined,
): readonly AnnotationProblem[] => {
  if (!isAsked(gateway) || options.mode === "standalone" || options.mode === "dataplane") return [];
  const problem = (says: string): readonly AnnotationProblem[] => [{ key: keys.networkPolicy, kind: "value", says }];
  if (!runsDataplane(options, gateway)) return problem("has no effect: the dataplane is not managed by Turnpike");
  if (dataplane?.spec?.hostNetwork === true)
    return problem("has no effect: NetworkPolicies do not apply to pods with hostNetwork");
  return [];
};

/** Undefined if the Gateway does not ask for one, or it would not apply. */
export const networkPolicyOf = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  gateway: Gateway,
  dataplane: Dataplane | undefined,
  attachments: Attachments,
): NetworkPolicy | undefined => {
  if (!isAsked(gateway) || options.mode !== "managed") return undefined;
  if (networkPolicyProblems(options, gateway, dataplane).length > 0) return undefined;
  const infrastructure = infrastructureOf(gateway);
  const rules = [...routeRules(view, options, attachments), ...httpRules(view, options, gateway)];
  const distinct = new Map(rules.map((rule) => [JSON.stringify(rule), rule]));
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: {
      name: gateway.metadata.name,
      namespace: gateway.metadata.namespace ?? "default",
      labels: { ...infrastructure.labels, ...ownedLabels(gateway) },
      annotations: { ...infrastructure.annotations, ...relatedAnnotation(name) },
      ownerReferences: [ownerReference(gateway)],
    },
    spec: {
      podSelector: selectorOf(podLabels(gateway)),
      policyTypes: ["Egress"],
      egress: [...dnsRules, discoveryRule(options), ...distinct.values()],
    },
  };
};
