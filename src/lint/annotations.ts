/** Annotations of Gateways: what is misspelt does nothing, and nobody says so. */
import {
  effectiveAnnotations,
  gatewayAnnotations,
  isDataplaneDisabled,
  nodePorts,
  parsePortMap,
} from "../render/annotations.ts";
import { controlledGateway, parametersOf } from "../render/classes.ts";
import type { Gateway, GatewayClass } from "../resources/gateway-api.ts";
import { nameOfObject, type Name } from "../resources/keys.ts";
import { annotations as keys, RELATED_GATEWAY_NAME, RELATED_GATEWAY_NAMESPACE } from "../resources/names.ts";
import { finding, type Finding } from "./finding.ts";
import type { LintWorld } from "./world.ts";

const PREFIX = "stunner.l7mp.io/";
const known: ReadonlySet<string> = new Set([...Object.values(keys), RELATED_GATEWAY_NAME, RELATED_GATEWAY_NAMESPACE]);
const words: Readonly<Record<string, readonly string[]>> = {
  [keys.serviceType]: ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"],
};
/** Whose case does not count. */
const anyCase: Readonly<Record<string, readonly string[]>> = {
  [keys.externalTrafficPolicy]: ["local", "cluster"],
  [keys.enableMixedProtocolLb]: ["true", "false"],
  [keys.disableManagedDataplane]: ["true", "false"],
  [keys.disableHealthCheckExpose]: ["true", "false"],
  [keys.disableSessionAffinity]: ["true", "false"],
};
const portMaps: readonly string[] = [keys.nodePort, keys.targetPort];
const [FIRST_NODE_PORT, LAST_NODE_PORT] = [30_000, 32_767];

const lintValues = (
  object: string,
  annotations: Readonly<Record<string, string>>,
  gateway: Gateway,
): readonly Finding[] =>
  Object.entries(annotations).flatMap(([key, value]): readonly Finding[] => {
    if (!key.startsWith(PREFIX)) return [];
    if (!known.has(key)) return [finding("annotation-unknown", object, key)];
    const allowed = words[key] ?? anyCase[key];
    const given = words[key] === undefined ? value.toLowerCase() : value;
    if (allowed !== undefined && !allowed.includes(given))
      return [
        finding("annotation-value", object, `${key} is ${JSON.stringify(value)}, and may be ${allowed.join(", ")}`),
      ];
    if (!portMaps.includes(key)) return [];
    const ports = parsePortMap(value);
    if (ports.size === 0 && value.trim() !== "" && value.trim() !== "{}")
      return [finding("annotation-value", object, `${key} is no JSON object of ports, {"LISTENER": PORT}`)];
    const names = new Set(gateway.spec.listeners.map(({ name }) => name));
    return [...ports.keys()]
      .filter((name) => !names.has(name))
      .map((name) => finding("annotation-listener", object, `${key} names listener ${name}`));
  });

/** Ports asked for by Gateways before this one: of all Services of a cluster, a NodePort is one's. */
const nodePortsBefore = ({ view, options }: LintWorld, name: Name): ReadonlyMap<number, string> => {
  const taken = new Map<number, string>();
  for (const gateway of view.list("Gateway")) {
    const other = nameOfObject("Gateway", gateway);
    if (other === name) break;
    if (controlledGateway(view, options, other) === undefined) continue;
    for (const [listener, port] of nodePorts(gatewayAnnotations(gateway))) taken.set(port, `${other}/${listener}`);
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
  const found = [...lintValues(object, annotations, gateway)];

  const type = annotations[keys.serviceType] ?? "LoadBalancer";
  const isInside = type === "ClusterIP" || type === "ExternalName";
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

  const taken = new Map(nodePortsBefore(world, name));
  const asked = nodePorts(annotations);
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
