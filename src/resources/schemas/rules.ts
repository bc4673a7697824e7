/**
 * Rules that a Gateway API CRD states in CEL (`x-kubernetes-validations`), implemented in code: those for fields that
 * Turnpike reads. Objects have passed their schema and have their defaults.
 */
import type { Gateway, GatewayApiUDPRoute, ParentReference } from "../gateway-api.ts";
import type { Problem } from "./problem.ts";

/** The indexes of all but the first of the items with the same key. */
const repeated = <T>(items: readonly T[], key: (item: T) => string): readonly number[] => {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const one = key(item);
    if (seen.has(one)) return [index];
    seen.add(one);
    return [];
  });
};

const HOST_NAME = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

export const gatewayRules = (gateway: Gateway): readonly Problem[] => {
  const { listeners, addresses = [] } = gateway.spec;
  const at = (index: number, field: string): string => `spec.listeners[${index}]${field}`;
  const single = listeners.flatMap((listener, index): readonly Problem[] => {
    const { protocol, tls, hostname } = listener;
    const problems: Problem[] = [];
    if (["HTTP", "TCP", "UDP"].includes(protocol) && tls !== undefined)
      problems.push({ field: at(index, ".tls"), reason: `must not be specified for protocol ${protocol}` });
    if (["TCP", "UDP"].includes(protocol) && hostname)
      problems.push({ field: at(index, ".hostname"), reason: `must not be specified for protocol ${protocol}` });
    if (protocol === "HTTPS" && tls?.mode && tls.mode !== "Terminate")
      problems.push({ field: at(index, ".tls.mode"), reason: "must be Terminate for protocol HTTPS" });
    if (protocol === "TLS" && !tls?.mode)
      problems.push({ field: at(index, ".tls.mode"), reason: "must be set for protocol TLS" });
    const hasOptions = tls !== undefined && "options" in tls && Object.keys(tls.options ?? {}).length > 0;
    if (tls?.mode === "Terminate" && (tls.certificateRefs ?? []).length === 0 && !hasOptions)
      problems.push({ field: at(index, ".tls"), reason: "needs certificateRefs or options when mode is Terminate" });
    return problems;
  });
  const exposed = repeated(listeners, ({ port, protocol, hostname }) => JSON.stringify([port, protocol, hostname]));
  const requested = repeated(addresses, ({ type, value }) => JSON.stringify([type, value]));
  return [
    ...single,
    ...exposed.map((index) => ({
      field: at(index, ""),
      reason: "combination of port, protocol and hostname must be unique",
    })),
    ...requested
      .filter((index) => addresses[index]?.value !== undefined)
      .map((index) => ({ field: `spec.addresses[${index}]`, reason: "value must be unique" })),
    ...addresses.flatMap(({ type, value }, index) =>
      type === "Hostname" && value !== undefined && !HOST_NAME.test(value)
        ? [{ field: `spec.addresses[${index}].value`, reason: "must be a host name" }]
        : [],
    ),
  ];
};

const parentKey = ({ group, kind, namespace, name }: ParentReference): string =>
  JSON.stringify([group, kind, namespace ?? "", name]);

export const gatewayRouteRules = (route: GatewayApiUDPRoute): readonly Problem[] => {
  const { parentRefs = [], rules } = route.spec;
  const parents = repeated(parentRefs, (parent) =>
    JSON.stringify([parentKey(parent), parent.sectionName ?? "", parent.port ?? 0]),
  );
  const whole = parentRefs.flatMap((parent, index) => {
    const isNarrow = Boolean(parent.sectionName) || Boolean(parent.port);
    const isShared = parentRefs.some((other) => other !== parent && parentKey(other) === parentKey(parent));
    return isShared && !isNarrow ? [index] : [];
  });
  const backends = rules.flatMap((rule, ruleIndex) =>
    (rule.backendRefs ?? []).flatMap((backend, index) =>
      (backend.group ?? "") === "" && (backend.kind ?? "Service") === "Service" && backend.port === undefined
        ? [{ field: `spec.rules[${ruleIndex}].backendRefs[${index}].port`, reason: "is required for a Service" }]
        : [],
    ),
  );
  return [
    ...[...new Set([...parents, ...whole])].map((index) => ({
      field: `spec.parentRefs[${index}]`,
      reason: "sectionName or port must be given, and differ, for several references to one parent",
    })),
    ...backends,
  ];
};
