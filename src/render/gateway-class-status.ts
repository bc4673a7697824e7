import type { GatewayClass } from "../resources/gateway-api.ts";
import type { RenderOptions } from "../resources/view.ts";
import { condition, generationOf, type GatewayClassStatus } from "./conditions.ts";

/** Accepted as soon as its parameters exist: problems of single Gateways are reported in their statuses. */
export const renderGatewayClassStatus = (
  options: RenderOptions,
  gatewayClass: GatewayClass,
  cause: string | undefined,
): GatewayClassStatus => {
  const generation = generationOf(gatewayClass);
  const controller = `"${options.controllerName}"`;
  return {
    conditions: [
      cause === undefined
        ? condition("Accepted", "True", "Accepted", `GatewayClass is managed by controller ${controller}`, generation)
        : condition(
            "Accepted",
            "False",
            "InvalidParameters",
            `controller ${controller} failed to process GatewayClass: ${cause}`,
            generation,
          ),
    ],
  };
};
