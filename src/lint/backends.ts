/** The targets of routes. */
import { parseIp } from "../net/ip.ts";
import { parseEndpoint } from "../net/endpoint.ts";
import { specialBlock } from "../admission/special.ts";
import { portsProblem } from "../render/clusters.ts";
import { isEndpoint } from "../render/endpoints.ts";
import { mayReferToService } from "../render/grants.ts";
import type { BackendReference } from "../resources/gateway-api.ts";
import { nameOf, splitName, type Name } from "../resources/keys.ts";
import { SERVICE_NAME_LABEL, STUNNER_GROUP } from "../resources/names.ts";
import type { Route } from "../resources/view.ts";
import { finding, type Finding } from "./finding.ts";
import type { LintWorld } from "./world.ts";

/** Addresses and prefixes that open special blocks which must be named, and those that open everything. */
const lintOpening = (object: string, backend: string, endpoints: readonly string[]): readonly Finding[] =>
  endpoints.flatMap((endpoint): readonly Finding[] => {
    const parsed = parseEndpoint(endpoint);
    if (parsed === undefined) return [];
    if (parsed.length === 0) return [finding("backend-everything", object, `${backend} has ${endpoint}`)];
    const ip = parseIp(endpoint.replace(/\/.*$/, ""));
    const block = ip && specialBlock(ip);
    return block === undefined || parsed.length < block.length
      ? []
      : [finding("backend-special", object, `${backend} has ${endpoint}, which is ${block.label}`)];
  });

const lintStaticService = ({ view }: LintWorld, object: string, name: Name): readonly Finding[] => {
  const service = view.get("StaticService", name);
  if (service === undefined) return [finding("backend-missing", object, `StaticService ${name} is not there`)];
  const { prefixes } = service.spec;
  return [
    ...prefixes
      .filter((prefix) => !isEndpoint(prefix))
      .map((prefix) => finding("backend-malformed", `StaticService/${name}`, `${prefix} is no address and no prefix`)),
    ...lintOpening(`StaticService/${name}`, "it", prefixes.filter(isEndpoint)),
  ];
};

/** `port` to `endPort` of a route are compared with ports of pods. */
const lintPort = ({ view }: LintWorld, object: string, name: Name, backend: BackendReference): readonly Finding[] => {
  const { port, endPort = port } = backend;
  const ports = view.get("Service", name)?.spec?.ports ?? [];
  if (port === undefined || endPort === undefined || ports.length === 0) return [];
  // A named port is known only to the pods.
  const targets = ports.map((one) => one.targetPort ?? one.port);
  if (targets.some((target) => typeof target !== "number" || (target >= port && target <= endPort))) return [];
  const asked = endPort === port ? String(port) : `${port} to ${endPort}`;
  return [
    finding(
      "backend-port",
      object,
      `it asks for ${asked}, the pods of Service ${name} listen at ${targets.join(", ")}`,
    ),
  ];
};

const lintService = (
  world: LintWorld,
  route: Route,
  object: string,
  name: Name,
  backend: BackendReference,
): readonly Finding[] => {
  const { view, options, hasEndpoints } = world;
  if (!mayReferToService(view, options, route, name))
    return [finding("backend-not-permitted", object, `Service ${name}`)];
  const slices = view
    .list("EndpointSlice")
    .filter(({ metadata: { namespace, labels } }) => nameOf(namespace, labels?.[SERVICE_NAME_LABEL] ?? "") === name);
  if (view.get("Service", name) === undefined && slices.length === 0)
    return [finding("backend-missing", object, `Service ${name} is not there`)];
  const service = view.get("Service", name);
  const { found } = view.endpointsOfService(name);
  if (!found && service?.spec?.type === "ExternalName")
    return [finding("backend-unusable", object, `Service ${name} is of type ExternalName, which has no endpoints`)];
  if (hasEndpoints && !found) return [finding("backend-missing", object, `Service ${name} has no endpoints`)];
  if (!found && service !== undefined && Object.keys(service.spec?.selector ?? {}).length === 0 && slices.length > 0)
    return [finding("backend-without-endpoints", object, `Service ${name} has no selector and no endpoints`)];
  return [
    // The port that the Gateway API requires limits nothing.
    ...(route.kind === "UDPRoute" ? lintPort(world, object, name, backend) : []),
    ...lintOpening(
      object,
      `Service ${name}`,
      view.endpointsOfService(name).endpoints.map(({ address }) => address),
    ),
  ];
};

export const lintBackends = (world: LintWorld, route: Route, object: string): readonly Finding[] => {
  const references = route.object.spec.rules[0]?.backendRefs ?? [];
  if (references.length === 0) return [finding("route-without-backends", object, "its first rule has no backendRefs")];
  return references.flatMap((backend): readonly Finding[] => {
    const { group = "", kind = "Service" } = backend;
    const name = nameOf(backend.namespace ?? splitName(route.name).namespace, backend.name);
    const ports = portsProblem(world.options, route, backend);
    if (ports !== undefined) return [finding("backend-unusable", object, `backend ${name}: ${ports}`)];
    if (group === STUNNER_GROUP && kind === "StaticService") return lintStaticService(world, object, name);
    if (group !== "" || kind !== "Service")
      return [finding("backend-kind", object, `${backend.name} is a ${kind} of group "${group}"`)];
    return lintService(world, route, object, name, backend);
  });
};
