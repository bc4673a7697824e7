/** Annotations of a Gateway that cannot take effect. Each is ignored independently; the Gateway serves. */
import type { GatewayListener } from "../resources/gateway-api.ts";
import { annotations as keys, NETWORK_POLICY_ENABLED } from "../resources/names.ts";
import { ipFamilies, ipFamilyPolicies, type Annotations } from "./annotations.ts";
import { readPortAnnotation } from "./port-map.ts";
import { listenerProtocol, transportOf } from "./protocol.ts";

export interface AnnotationProblem {
  readonly key: string;
  readonly kind: "value" | "listener" | "service";
  /** An existing listener, if the problem concerns only one. */
  readonly listener?: string;
  /** A sentence that follows the key. */
  readonly says: string;
}

const exactWords: Readonly<Record<string, readonly string[]>> = {
  [keys.serviceType]: ["ClusterIP", "NodePort", "LoadBalancer"],
  [keys.ipFamilyPolicy]: ipFamilyPolicies,
  [keys.networkPolicy]: [NETWORK_POLICY_ENABLED],
};
const BOOLEAN = ["true", "false"] as const;
/** Case-insensitive words. */
const words: Readonly<Record<string, readonly string[]>> = {
  [keys.externalTrafficPolicy]: ["local", "cluster"],
  [keys.enableMixedProtocolLb]: BOOLEAN,
  [keys.disableManagedDataplane]: BOOLEAN,
  [keys.disableHealthCheckExpose]: BOOLEAN,
  [keys.disableSessionAffinity]: BOOLEAN,
  [keys.relayAddressDiscovery]: BOOLEAN,
};

const wordProblems = (annotations: Annotations): readonly AnnotationProblem[] =>
  Object.entries(annotations).flatMap(([key, value]): readonly AnnotationProblem[] => {
    const allowed = exactWords[key] ?? words[key];
    const given = exactWords[key] === undefined ? value.toLowerCase() : value;
    if (allowed === undefined || allowed.includes(given)) return [];
    return [{ key, kind: "value", says: `is ${JSON.stringify(value)}, and may be ${allowed.join(", ")}` }];
  });

const familyProblems = (annotations: Annotations): readonly AnnotationProblem[] => {
  const key = keys.ipFamilies;
  const value = annotations[key];
  if (value === undefined || ipFamilies(annotations) !== undefined) return [];
  return [{ key, kind: "value", says: `is ${JSON.stringify(value)}, and may be IPv4, IPv6, or both with a comma` }];
};

const NOT_A_PORT = "is not a port (1 to 65535)";

const portProblems = (
  annotations: Annotations,
  key: string,
  listeners: readonly GatewayListener[],
): readonly AnnotationProblem[] => {
  const { ports, invalid, isMalformed } = readPortAnnotation(annotations[key]);
  if (isMalformed) return [{ key, kind: "value", says: 'is not a JSON object of ports, {"LISTENER": PORT}' }];
  const names = new Set(listeners.map(({ name }) => name));
  return [
    ...[...invalid].flatMap(([listener, value]): readonly AnnotationProblem[] =>
      names.has(listener) ? [{ key, kind: "value", listener, says: `${value} of ${listener} ${NOT_A_PORT}` }] : [],
    ),
    ...[...ports.keys(), ...invalid.keys()]
      .filter((name) => !names.has(name))
      .map((name): AnnotationProblem => ({ key, kind: "listener", says: `names listener ${name}` })),
  ];
};

/** Kubernetes rejects a Service in which two ports share a node port and a transport. */
const sharedNodePorts = (
  annotations: Annotations,
  listeners: readonly GatewayListener[],
): readonly AnnotationProblem[] => {
  const { ports } = readPortAnnotation(annotations[keys.nodePort]);
  const holders = new Map<string, string>();
  return listeners.flatMap(({ name, protocol }): readonly AnnotationProblem[] => {
    const port = ports.get(name);
    const known = listenerProtocol(protocol);
    if (port === undefined || known === undefined) return [];
    const slot = `${transportOf(known)} node port ${port}`;
    const holder = holders.get(slot);
    holders.set(slot, holder ?? name);
    if (holder === undefined) return [];
    return [
      { key: keys.nodePort, kind: "value", listener: name, says: `${slot} of ${name} is already that of ${holder}` },
    ];
  });
};

/** @param annotations the effective ones: the Gateway's over the GatewayConfig's. */
export const annotationProblems = (
  annotations: Annotations,
  listeners: readonly GatewayListener[],
): readonly AnnotationProblem[] => [
  ...wordProblems(annotations),
  ...familyProblems(annotations),
  ...portProblems(annotations, keys.nodePort, listeners),
  ...sharedNodePorts(annotations, listeners),
  ...portProblems(annotations, keys.targetPort, listeners),
];

/** Listeners whose entry of the annotation `nodeport` is ignored. */
export const ignoredNodePorts = (
  annotations: Annotations,
  listeners: readonly GatewayListener[],
): ReadonlySet<string> => new Set(sharedNodePorts(annotations, listeners).flatMap(({ listener }) => listener ?? []));
