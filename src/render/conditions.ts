/** Statuses as rendering decides them: conditions without transition times, which are added where they are written. */
import type { Condition } from "../resources/core.ts";
import type { ParentReference } from "../resources/gateway-api.ts";

export interface GatewayClassStatus {
  readonly conditions: readonly Condition[];
}

export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
}

export interface GatewayAddress {
  readonly type: string;
  readonly value: string;
}

/** Conditions of other types that others put on a Gateway are left to them: the list is a map by type. */
export interface GatewayStatus {
  readonly addresses: readonly GatewayAddress[];
  readonly conditions: readonly Condition[];
  readonly listeners: readonly ListenerStatus[];
}

export interface RouteParentStatus {
  readonly parentRef: ParentReference;
  readonly controllerName: string;
  /** Only conditions of other controllers' entries, which are passed through, carry their times. */
  readonly conditions: readonly (Condition & { readonly lastTransitionTime?: string })[];
}

/** The whole list, other controllers' entries included: `parents` is atomic. */
export interface RouteStatus {
  readonly parents: readonly RouteParentStatus[];
}

export const condition = (
  type: string,
  status: Condition["status"],
  reason: string,
  message: string,
  observedGeneration: number,
): Condition => ({ type, status, reason, message, observedGeneration });

/** The generation a status speaks of; objects that never met an API server have none. */
export const generationOf = (object: { readonly metadata: { readonly generation?: number } }): number =>
  object.metadata.generation ?? 0;
