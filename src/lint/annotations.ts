/** Annotations of Gateways: a misspelt one has no effect, and nothing else reports it. */
import { annotationProblems } from "../render/annotation-problems.ts";
import { httpBackendProblems } from "../render/http-backend.ts";
import {
  effectiveAnnotations,
  gatewayAnnotations,
  isDataplaneDisabled,
  isOn,
  nodePorts,
  serviceType,
} from "../render/annotations.ts";
import { networkPolicyProblems } from "../render/network-policy.ts";
import { ignoredUsers } from "../render/users.ts";
import { controlledGateway, parametersOf } from "../render/classes.ts";
import type { Gateway, GatewayClass } from "../resources/gateway-api.ts";
import { nameOfObject, type Name } from "../resources/keys.ts";
import type { Dataplane } from "../resources/stunner.ts";
import {
  annotations as keys,
  DISCOVERY_LABEL,
  OWNED_BY_LABEL,
  RELATED_GATEWAY_NAME,
  RELATED_GATEWAY_NAMESPACE,
} from "../resources/names.ts";
import { lintDataplane } from "./dataplanes.ts";
import { finding, type Finding } from "./finding.ts";
import type { LintWorld } from "./world.ts";

const PREFIXES = ["stunner.l7mp.io/", "turnpike.dev/"] as const;
const known: ReadonlySet<string> = new Set([
  ...Object.values(keys),
  RELATED_GATEWAY_NAME,
  RELATED_GATEWAY_NAMESPACE,
  OWNED_BY_LABEL,
  DISCOVERY_LABEL,
]);
const [FIRST_NODE_PORT, LAST_NODE_PORT] = [30_000, 32_767];

const codes = { value: "annotation-value", listener: "annotation-listener", service: "http-backend" } as const;

const lintValues = (
  { view, options }: LintWorld,
  object: string,
  annotations: Readonly<Record<string, string>>,
  gateway: Gateway,
  dataplane: Dataplane | undefined,
): readonly Finding[] => [
  ...Object.keys(annotations)
    .filter((key) => PREFIXES.some((prefix) => key.startsWith(prefix)) && !known.has(key))
    .map((key) => finding("annotation-unknown", object, key)),
  ...[
    ...annotationProblems(annotations, gateway.spec.listeners),
    ...networkPolicyProblems(options, gateway, dataplane),
    ...httpBackendProblems(view, options, gateway),
  ]
    // The listener that cannot be bound reports this itself.
    .filter(({ key, listener }) => key !== keys.targetPort || listener === undefined)
    .map(({ key, kind, says }) => finding(codes[kind], object, `${key} ${says}`)),
  ...ignoredUsers(gateway).map((says) => finding("annotation-value", object, says)),
];

/** Ports requested by Gateways before this one: a NodePort belongs to one Service of the cluster. */
const nodePortsBefore = ({ view, options }: LintWorld, name: Name): ReadonlyMap<number, string> => {
  const taken = new Map<number, string>();
  for (const gateway of view.list("Gateway")) {
    const other = nameOfObject("Gateway", gateway);
    if (other === name) break;
    if (controlledGateway(view, options, other) === undefined) continue;
    for (const [listener, port] of nodePorts(gatewayAnnotations(gateway), options).ports)
      taken.set(port, `${other}/${listener}`);
  }
  return taken;
};

export const lintAnnotations = (
  world: LintWorld,
  name: Name,
  gateway: Gateway,
  gatewayClass: GatewayClass,
): readonly Finding[] => {
  const object = `Gateway/${name}`;
  const resolved = parametersOf(world.view, world.options, gatewayClass);
  if (!resolved.found) return [];
  const { config, dataplane } = resolved.parameters;
  const annotations = effectiveAnnotations(config, gateway);
  const found = [...lintValues(world, object, annotations, gateway, dataplane)];

  const type = serviceType(annotations, world.options);
  const isInside = type === "ClusterIP";
  const policy = annotations[keys.externalTrafficPolicy];
  if (policy !== undefined && isInside)
    found.push(finding("traffic-policy-ignored", object, `service-type is ${type}`));
  else if (
    policy?.toLowerCase() === "local" &&
    !isDataplaneDisabled(gateway) &&
    dataplane?.spec?.dataplaneResource !== "DaemonSet"
  )
    found.push(
      finding("traffic-policy-local", object, "the dataplane is a Deployment, whose pods are on some nodes alone"),
    );

  if (
    isOn(gatewayAnnotations(gateway), keys.relayAddressDiscovery) &&
    !isDataplaneDisabled(gateway) &&
    dataplane?.spec?.hostNetwork !== true
  )
    found.push(finding("relay-address-unreachable", object, "the dataplane has a network of its own"));

  if (dataplane !== undefined && !isDataplaneDisabled(gateway))
    found.push(...lintDataplane(`Dataplane/${dataplane.metadata.name}`, dataplane));

  const taken = new Map(nodePortsBefore(world, name));
  const asked = nodePorts(annotations, world.options).ports;
  if (asked.size > 0 && isInside) found.push(finding("node-port-ignored", object, `service-type is ${type}`));
  else
    for (const [listener, port] of asked) {
      const place = `${object}/${listener}`;
      if (port < FIRST_NODE_PORT || port > LAST_NODE_PORT)
        found.push(finding("node-port-range", place, `NodePort ${port}`));
      const holder = taken.get(port);
      if (holder !== undefined)
        found.push(finding("node-port-conflict", place, `NodePort ${port} is asked for by ${holder}`));
      taken.set(port, `${name}/${listener}`);
    }
  return found;
};
