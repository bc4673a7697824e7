/** The status of a Gateway, for itself and for each listener. */
import type { Condition } from "../resources/core.ts";
import type { Gateway, GatewayListener } from "../resources/gateway-api.ts";
import type { RenderOptions } from "../resources/view.ts";
import { condition, generationOf, type GatewayAddress, type GatewayStatus, type ListenerStatus } from "./conditions.ts";
import { addressOf, flawOf, isUnbound, type JudgedListener } from "./listeners.ts";
import { listenerProtocol } from "./protocol.ts";
import type { Obstacle } from "./objects.ts";
import { supportedKinds } from "./route-kinds.ts";
import { isFirstEdition } from "./rules.ts";

/** Of the Gateway API. */
const MAX_ADDRESSES = 16;

const acceptedReason = {
  accepted: "Accepted",
  unresolved: "Accepted",
  conflicted: "PortUnavailable",
  unsupported: "UnsupportedProtocol",
  name: "Invalid",
  "target-port": "PortUnavailable",
  "target-port-conflict": "PortUnavailable",
} as const satisfies Record<JudgedListener["outcome"], string>;

/** A listener of an unsupported protocol takes no routes; the first release did not report that. */
const kindsOf = (options: RenderOptions, listener: GatewayListener): ListenerStatus["supportedKinds"] =>
  listenerProtocol(listener.protocol) === undefined && !isFirstEdition(options)
    ? []
    : supportedKinds(options, listener);

const listenerStatus = (options: RenderOptions, judged: JudgedListener, generation: number): ListenerStatus => {
  const { outcome } = judged;
  const accepted = outcome === "accepted" || outcome === "unresolved";
  const why = outcome === "accepted" ? "" : judged.why;
  const flaw = flawOf(judged);
  return {
    name: judged.listener.name,
    supportedKinds: kindsOf(options, judged.listener),
    attachedRoutes: outcome === "accepted" || outcome === "conflicted" ? judged.routes.length : 0,
    conditions: [
      accepted
        ? condition("Accepted", "True", "Accepted", "listener accepted", generation)
        : condition("Accepted", "False", acceptedReason[outcome], why, generation),
      outcome === "conflicted"
        ? condition("Conflicted", "True", "ProtocolConflict", why, generation)
        : condition("Conflicted", "False", "NoConflicts", "no conflicts", generation),
      flaw !== undefined
        ? condition("ResolvedRefs", "False", flaw.reason, flaw.why, generation)
        : condition("ResolvedRefs", "True", "ResolvedRefs", "references resolved", generation),
    ],
  };
};

/** Every listener must be reachable and able to serve, and no object of another owner may block ours. */
const programmed = (
  judged: readonly JudgedListener[],
  obstacle: Obstacle | undefined,
  generation: number,
): Condition => {
  const failed = (reason: string, message: string): Condition =>
    condition("Programmed", "False", reason, message, generation);
  const unreachable = judged
    .filter((one) => addressOf(one) === undefined && !isUnbound(one))
    .map((one) => one.listener.name);
  const idle = judged.find((one) => one.outcome === "unresolved" || isUnbound(one));
  const uncertain = judged.find((one) => (flawOf(one)?.reason ?? "InvalidRouteKinds") !== "InvalidRouteKinds");

  if (obstacle !== undefined)
    return failed(unreachable.length > 0 && !obstacle.isLasting ? "AddressNotAssigned" : "Invalid", obstacle.message);
  if (unreachable.length > 0) return failed("AddressNotAssigned", `no public address for: ${unreachable.join(", ")}`);
  if (idle !== undefined) return failed("Invalid", `listener ${idle.listener.name} cannot serve: ${idle.why}`);
  if (uncertain !== undefined)
    return failed("Invalid", `listener ${uncertain.listener.name}: ${flawOf(uncertain)?.why}`);
  return condition("Programmed", "True", "Programmed", "config rendered successfully", generation);
};

const faultOf = (judged: JudgedListener): string | undefined =>
  judged.outcome === "accepted" ? judged.flaw?.why : judged.why;

/**
 * True while at least one listener can be served. The first release accepted every Gateway that it could render.
 * @param ignored settings of the Gateway that have no effect; it is served without them.
 */
const accepted = (
  options: RenderOptions,
  judged: readonly JudgedListener[],
  ignored: readonly string[],
  generation: number,
): Condition => {
  const faults = isFirstEdition(options)
    ? []
    : judged.flatMap((one) => {
        const fault = faultOf(one);
        return fault === undefined ? [] : [`${one.listener.name} (${fault})`];
      });
  const isServed = faults.length < judged.length || judged.some(({ outcome }) => outcome === "accepted");
  const message = [
    isServed
      ? `accepted by controller ${options.controllerName}`
      : `no listener can be served by controller ${options.controllerName}`,
    ...(faults.length > 0 ? [`listeners not valid: ${faults.join(", ")}`] : []),
    ...(ignored.length > 0 ? [`ignored: ${ignored.join(", ")}`] : []),
  ].join("; ");
  if (faults.length === 0) return condition("Accepted", "True", "Accepted", message, generation);
  return condition("Accepted", isServed ? "True" : "False", "ListenersNotValid", message, generation);
};

export const renderGatewayStatus = (
  options: RenderOptions,
  gateway: Gateway,
  judged: readonly JudgedListener[],
  obstacle: Obstacle | undefined,
  ignored: readonly string[],
): GatewayStatus => {
  const generation = generationOf(gateway);
  const last = judged.map(addressOf).findLast((address) => address !== undefined);
  const addresses: readonly GatewayAddress[] =
    last === undefined
      ? []
      : [last, ...(last.others ?? [])].slice(0, MAX_ADDRESSES).map(({ type, value }) => ({ type, value }));
  return {
    addresses,
    conditions: [accepted(options, judged, ignored, generation), programmed(judged, obstacle, generation)],
    listeners: judged.map((one) => listenerStatus(options, one, generation)),
  };
};

/** Nothing of the Gateway is served; `cause` is the reason. */
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
      supportedKinds: kindsOf(options, listener),
      attachedRoutes: 0,
      conditions: [
        condition("Accepted", "Unknown", "Pending", "pending", generation),
        condition("Conflicted", "False", "NoConflicts", "no conflicts", generation),
        condition("ResolvedRefs", "True", "ResolvedRefs", "references resolved", generation),
      ],
    })),
  };
};
