/** What a Gateway's status says of itself and of each listener. */
import type { Condition } from "../resources/core.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import type { RenderOptions } from "../resources/view.ts";
import { GATEWAY_API_GROUP, STUNNER_GROUP } from "../resources/names.ts";
import { condition, generationOf, type GatewayAddress, type GatewayStatus, type ListenerStatus } from "./conditions.ts";
import { addressOf, type JudgedListener } from "./listeners.ts";

const supportedKinds = [
  { group: GATEWAY_API_GROUP, kind: "UDPRoute" },
  { group: STUNNER_GROUP, kind: "UDPRoute" },
] as const;

const acceptedReason = {
  accepted: "Accepted",
  unresolved: "Accepted",
  conflicted: "PortUnavailable",
  unsupported: "UnsupportedProtocol",
} as const;

const listenerStatus = (judged: JudgedListener, generation: number): ListenerStatus => {
  const { outcome } = judged;
  const accepted = outcome === "accepted" || outcome === "unresolved";
  const why = outcome === "accepted" ? "" : judged.why;
  return {
    name: judged.listener.name,
    supportedKinds,
    attachedRoutes: outcome === "unsupported" || outcome === "unresolved" ? 0 : judged.routes.length,
    conditions: [
      accepted
        ? condition("Accepted", "True", "Accepted", "listener accepted", generation)
        : condition("Accepted", "False", acceptedReason[outcome], why, generation),
      outcome === "conflicted"
        ? condition("Conflicted", "True", "ProtocolConflict", why, generation)
        : condition("Conflicted", "False", "NoConflicts", "no conflicts", generation),
      outcome === "unresolved"
        ? condition("ResolvedRefs", "False", judged.reason, why, generation)
        : condition("ResolvedRefs", "True", "ResolvedRefs", "references resolved", generation),
    ],
  };
};

/** Every listener must be reachable and able to serve, and nobody else's object may be in the way. */
const programmed = (judged: readonly JudgedListener[], obstacle: string | undefined, generation: number): Condition => {
  const failed = (reason: string, message: string): Condition =>
    condition("Programmed", "False", reason, message, generation);
  const unreachable = judged.filter((one) => addressOf(one) === undefined).map((one) => one.listener.name);
  const unresolved = judged.find((one) => one.outcome === "unresolved");
  if (obstacle !== undefined) return failed(unreachable.length > 0 ? "AddressNotAssigned" : "Invalid", obstacle);
  if (unreachable.length > 0) return failed("AddressNotAssigned", `no public address for: ${unreachable.join(", ")}`);
  if (unresolved?.outcome === "unresolved")
    return failed("Invalid", `listener ${unresolved.listener.name} cannot serve: ${unresolved.why}`);
  return condition("Programmed", "True", "Programmed", "config rendered successfully", generation);
};

export const renderGatewayStatus = (
  options: RenderOptions,
  gateway: Gateway,
  judged: readonly JudgedListener[],
  obstacle: string | undefined,
): GatewayStatus => {
  const generation = generationOf(gateway);
  const last = judged.map(addressOf).findLast((address) => address !== undefined);
  const addresses: readonly GatewayAddress[] = last === undefined ? [] : [{ type: last.type, value: last.value }];
  return {
    addresses,
    conditions: [
      condition("Accepted", "True", "Accepted", `accepted by controller ${options.controllerName}`, generation),
      programmed(judged, obstacle, generation),
    ],
    listeners: judged.map((one) => listenerStatus(one, generation)),
  };
};

/** Nothing of the Gateway is served; `cause` says why. */
export const renderInvalidGatewayStatus = (options: RenderOptions, gateway: Gateway, cause: string): GatewayStatus => {
  const generation = generationOf(gateway);
  return {
    addresses: [],
    conditions: [
      condition("Accepted", "False", "Pending", cause, generation),
      condition(
        "Programmed",
        "False",
        "Invalid",
        `error processing Gateway by controller ${options.controllerName}: ${cause}`,
        generation,
      ),
    ],
    listeners: gateway.spec.listeners.map((listener) => ({
      name: listener.name,
      supportedKinds,
      attachedRoutes: 0,
      conditions: [
        condition("Accepted", "Unknown", "Pending", "pending", generation),
        condition("Conflicted", "False", "NoConflicts", "no conflicts", generation),
        condition("ResolvedRefs", "True", "ResolvedRefs", "references resolved", generation),
      ],
    })),
  };
};
