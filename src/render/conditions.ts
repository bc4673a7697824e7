/** Statuses as rendering decides them: conditions without transition times, which are added when they are written. */
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

/** Conditions of other types on a Gateway belong to other controllers and are not changed: the list is a map by type. */
export interface GatewayStatus {
  readonly addresses: readonly GatewayAddress[];
  readonly conditions: readonly Condition[];
  readonly listeners: readonly ListenerStatus[];
}

export interface RouteParentStatus {
  readonly parentRef: ParentReference;
  readonly controllerName: string;
  /** Only conditions of other controllers' entries, which are passed through, have their times. */
  readonly conditions: readonly (Condition & { readonly lastTransitionTime?: string })[];
}

/** The whole list, including other controllers' entries: `parents` is atomic. */
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

/** The observed generation; objects that were never on an API server have none. */
export const generationOf = (object: { readonly metadata: { readonly generation?: number } }): number =>
  object.metadata.generation ?? 0;
