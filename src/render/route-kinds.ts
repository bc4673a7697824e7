/** Which kinds of routes a listener takes: `allowedRoutes.kinds`, or both kinds of UDPRoute if it names none. */
import type { GatewayListener } from "../resources/gateway-api.ts";
import { GATEWAY_API_GROUP, STUNNER_GROUP } from "../resources/names.ts";
import type { RenderOptions, Route } from "../resources/view.ts";
import { isFirstEdition } from "./rules.ts";

export interface RouteGroupKind {
  readonly group: string;
  readonly kind: string;
}

const ours: readonly RouteGroupKind[] = [
  { group: GATEWAY_API_GROUP, kind: "UDPRoute" },
  { group: STUNNER_GROUP, kind: "UDPRoute" },
];

/** A kind without a group belongs to the Gateway API. */
const named = ({ allowedRoutes }: GatewayListener): readonly RouteGroupKind[] =>
  (allowedRoutes?.kinds ?? []).map(({ group, kind }) => ({ group: group ?? GATEWAY_API_GROUP, kind }));

const isSame = (a: RouteGroupKind, b: RouteGroupKind): boolean => a.group === b.group && a.kind === b.kind;

/** The first release did not check kinds. */
export const supportedKinds = (options: RenderOptions, listener: GatewayListener): readonly RouteGroupKind[] => {
  const kinds = named(listener);
  return isFirstEdition(options) || kinds.length === 0
    ? ours
    : ours.filter((one) => kinds.some((kind) => isSame(kind, one)));
};

/** Unsupported kinds that the listener names; as `GROUP/KIND`. */
export const unsupportedKinds = (options: RenderOptions, listener: GatewayListener): readonly string[] =>
  isFirstEdition(options)
    ? []
    : named(listener)
        .filter((kind) => !ours.some((one) => isSame(kind, one)))
        .map(({ group, kind }) => (group === "" ? kind : `${group}/${kind}`));

export const groupOfRoute = ({ kind }: Route): string => (kind === "UDPRoute" ? STUNNER_GROUP : GATEWAY_API_GROUP);

export const allowsKind = (options: RenderOptions, listener: GatewayListener, route: Route): boolean =>
  supportedKinds(options, listener).some(({ group }) => group === groupOfRoute(route));
