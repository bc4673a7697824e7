/** The Service that exposes a Gateway's listeners. */
import type { Service, ServicePort } from "../resources/core.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import type { Name } from "../resources/keys.ts";
import type { RenderOptions } from "../resources/view.ts";
import { APP_LABEL, APP_LABEL_VALUE, annotations as keys, HEALTH_CHECK_PORT_NAME } from "../resources/names.ts";
import { requestedAddress } from "./addresses.ts";
import { ignoredNodePorts } from "./annotation-problems.ts";
import { ipFamilies, ipFamilyPolicy, isOn, nodePorts, serviceType, type Annotations } from "./annotations.ts";
import { compareText } from "../order.ts";
import type { JudgedListener } from "./listeners.ts";
import { infrastructureOf, ownedLabels, ownerReference, podLabels, relatedAnnotation } from "./ownership.ts";
import { transportOf } from "./protocol.ts";
import { isFirstEdition } from "./rules.ts";
import { isPort } from "../net/host-port.ts";

const selectorOf = (gateway: Gateway, { mode, embedded }: RenderOptions): Readonly<Record<string, string>> => {
  if (embedded !== undefined) return embedded.selector;
  // Operators of legacy-mode dataplanes give their pods only this label.
  return mode === "legacy" ? { [APP_LABEL]: APP_LABEL_VALUE } : podLabels(gateway);
};

/**
 * Ports of the listeners that can serve, in their order. `targetPort` is always explicit: with a default, an old value
 * would outlive a change of the listener's port.
 */
const listenerPorts = (
  judged: readonly JudgedListener[],
  annotations: Annotations,
  options: RenderOptions,
): readonly ServicePort[] => {
  const wantedNodePorts = nodePorts(annotations, options).ports;
  const ignored = isFirstEdition(options)
    ? new Set<string>()
    : ignoredNodePorts(
        annotations,
        judged.map(({ listener }) => listener),
      );
  const exposed = judged.flatMap((one) =>
    one.outcome === "accepted" || one.outcome === "unresolved"
      ? [{ listener: one.listener, protocol: transportOf(one.protocol), boundPort: one.boundPort }]
      : [],
  );
  const only = isOn(annotations, keys.enableMixedProtocolLb) ? undefined : exposed[0]?.protocol;
  return exposed
    .filter(({ protocol }) => only === undefined || protocol === only)
    .map(({ listener, protocol, boundPort }) => {
      const nodePort = ignored.has(listener.name) ? undefined : wantedNodePorts.get(listener.name);
      return {
        name: listener.name,
        protocol,
        port: listener.port,
        targetPort: boundPort,
        ...(nodePort === undefined ? {} : { nodePort }),
      };
    });
};

/** Cloud load balancers that an annotation configures for health checks on a port need that port in the Service. */
const healthCheckPort = (annotations: Annotations): number | undefined => {
  if (isOn(annotations, keys.disableHealthCheckExpose)) return undefined;
  const values = (pattern: RegExp): readonly string[] =>
    Object.keys(annotations)
      .filter((key) => pattern.test(key))
      .toSorted(compareText)
      .map((key) => annotations[key] ?? "");
  const port = values(/^service\.beta\.kubernetes\.io\/.*health.*port$/)
    .filter((value) => /^[0-9]+$/.test(value))
    .map(Number)
    .find(isPort);
  const checked = values(/^service\.beta\.kubernetes\.io\/.*health.*protocol$/).some((value) =>
    ["TCP", "HTTP"].includes(value.toUpperCase()),
  );
  return checked ? port : undefined;
};

const withHealthCheck = (ports: readonly ServicePort[], annotations: Annotations): readonly ServicePort[] => {
  const port = healthCheckPort(annotations);
  // A duplicate number or name would make the API server reject the whole Service.
  const taken = ports.some(
    (one) => one.name === HEALTH_CHECK_PORT_NAME || (one.protocol === "TCP" && one.port === port),
  );
  if (port === undefined || taken) return ports;
  return [...ports, { name: HEALTH_CHECK_PORT_NAME, protocol: "TCP", port, targetPort: port }];
};

/** Undefined if no listener can be exposed: the API server rejects a Service without ports. */
export const renderService = (
  name: Name,
  gateway: Gateway,
  judged: readonly JudgedListener[],
  annotations: Annotations,
  options: RenderOptions,
): Service | undefined => {
  const type = serviceType(annotations, options);
  const ports = listenerPorts(judged, annotations, options);
  if (ports.length === 0) return undefined;
  const isOutside = type === "NodePort" || type === "LoadBalancer";
  const isLocal = annotations[keys.externalTrafficPolicy]?.toLowerCase() === "local";
  const address = isFirstEdition(options) ? gateway.spec.addresses?.[0] : requestedAddress(gateway);
  const loadBalancerIP = (address?.type ?? "IPAddress") === "IPAddress" ? address?.value : undefined;
  const loadBalancerClass = annotations[keys.loadBalancerClass];
  const [policy, families] = [ipFamilyPolicy(annotations), ipFamilies(annotations)];
  const { labels, annotations: more } = infrastructureOf(gateway);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: gateway.metadata.name,
      namespace: gateway.metadata.namespace ?? "default",
      labels: { ...labels, ...ownedLabels(gateway) },
      annotations: { ...annotations, ...more, ...relatedAnnotation(name) },
      ownerReferences: [ownerReference(gateway)],
    },
    spec: {
      type,
      selector: selectorOf(gateway, options),
      ports: type === "LoadBalancer" ? withHealthCheck(ports, annotations) : ports,
      ...(isOutside ? { externalTrafficPolicy: isLocal ? "Local" : "Cluster" } : {}),
      sessionAffinity: isOn(annotations, keys.disableSessionAffinity) ? "None" : "ClientIP",
      ...(loadBalancerIP ? { loadBalancerIP } : {}),
      ...(type === "LoadBalancer" && loadBalancerClass ? { loadBalancerClass } : {}),
      ...(policy === undefined ? {} : { ipFamilyPolicy: policy }),
      ...(families === undefined ? {} : { ipFamilies: families }),
    },
  };
};
