/** What a Gateway's status says of itself and of each listener. */
import type { Condition } from "../resources/core.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import type { RenderOptions } from "../resources/view.ts";
import { GATEWAY_API_GROUP, STUNNER_GROUP } from "../resources/names.ts";
import { condition, generationOf, type GatewayAddress, type GatewayStatus, type ListenerStatus } from "./conditions.ts";
import { addressOf, isUnbound, type JudgedListener } from "./listeners.ts";

const supportedKinds = [
  { group: GATEWAY_API_GROUP, kind: "UDPRoute" },
  { group: STUNNER_GROUP, kind: "UDPRoute" },
] as const;

const acceptedReason = {
  accepted: "Accepted",
  unresolved: "Accepted",
  conflicted: "PortUnavailable",
  unsupported: "UnsupportedProtocol",
  "target-port": "PortUnavailable",
  "target-port-conflict": "PortUnavailable",
} as const satisfies Record<JudgedListener["outcome"], string>;

const listenerStatus = (judged: JudgedListener, generation: number): ListenerStatus => {
  const { outcome } = judged;
  const accepted = outcome === "accepted" || outcome === "unresolved";
  const why = outcome === "accepted" ? "" : judged.why;
  return {
    name: judged.listener.name,
    supportedKinds,
    attachedRoutes: outcome === "accepted" || outcome === "conflicted" ? judged.routes.length : 0,
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
  const unreachable = judged
    .filter((one) => addressOf(one) === undefined && !isUnbound(one))
    .map((one) => one.listener.name);
  const idle = judged.find((one) => one.outcome === "unresolved" || isUnbound(one));
  if (obstacle !== undefined) return failed(unreachable.length > 0 ? "AddressNotAssigned" : "Invalid", obstacle);
  if (unreachable.length > 0) return failed("AddressNotAssigned", `no public address for: ${unreachable.join(", ")}`);
  if (idle !== undefined) return failed("Invalid", `listener ${idle.listener.name} cannot serve: ${idle.why}`);
  return condition("Programmed", "True", "Programmed", "config rendered successfully", generation);
};

/** @param ignored what the Gateway asks for in vain; it is served without. */
const acceptedMessage = ({ controllerName }: RenderOptions, ignored: readonly string[]): string =>
  [`accepted by controller ${controllerName}`, ...(ignored.length > 0 ? [`ignored: ${ignored.join(", ")}`] : [])].join(
    "; ",
  );

export const renderGatewayStatus = (
  options: RenderOptions,
  gateway: Gateway,
  judged: readonly JudgedListener[],
  obstacle: string | undefined,
  ignored: readonly string[],
): GatewayStatus => {
  const generation = generationOf(gateway);
  const last = judged.map(addressOf).findLast((address) => address !== undefined);
  const addresses: readonly GatewayAddress[] = last === undefined ? [] : [{ type: last.type, value: last.value }];
  return {
    addresses,
    conditions: [
      condition("Accepted", "True", "Accepted", acceptedMessage(options, ignored), generation),
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
