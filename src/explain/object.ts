/** The reasons for the conditions of an object, and the events that led there. */
import type { Condition } from "../resources/core.ts";
import { keyOf, type Name, type ObjectKey } from "../resources/keys.ts";
import type { GatewayClassStatus, GatewayStatus, RouteStatus } from "../render/render.ts";
import type { MachineId } from "../journal/fact.ts";
import type { TransitionLine } from "../history/log-index.ts";
import type { Mention, Past } from "./past.ts";

export const explainedKinds = ["GatewayClass", "Gateway", "UDPRoute", "GatewayUDPRoute"] as const;
export type ExplainedKind = (typeof explainedKinds)[number];

export interface ExplainedCondition {
  /** The subject of the condition: the object, one of its listeners, one of its parents. */
  readonly of: string;
  readonly type: string;
  readonly status: Condition["status"];
  readonly reason: string;
  readonly message: string;
}

export interface ObjectAnswer {
  readonly object: ObjectKey;
  readonly exists: boolean;
  /** Where it was last seen, or reported as removed. */
  readonly seen: Mention | undefined;
  readonly conditions: readonly ExplainedCondition[];
  /** The last transition of each of its machines, with the chain of its causes, oldest first. */
  readonly moves: readonly { readonly move: TransitionLine; readonly chain: readonly Mention[] }[];
}

const conditionsOf = (of: string, conditions: readonly Condition[] = []): readonly ExplainedCondition[] =>
  conditions.map(({ type, status, reason, message }) => ({ of, type, status, reason, message }));

const statusConditions = (kind: ExplainedKind, name: Name, status: unknown): readonly ExplainedCondition[] => {
  switch (kind) {
    case "GatewayClass":
      return conditionsOf(name, (status as GatewayClassStatus | undefined)?.conditions);
    case "Gateway": {
      const { conditions, listeners = [] } = (status ?? {}) as Partial<GatewayStatus>;
      return [
        ...conditionsOf(name, conditions),
        ...listeners.flatMap((one) => conditionsOf(`${name}/${one.name}`, one.conditions)),
      ];
    }
    case "UDPRoute":
    case "GatewayUDPRoute":
      return ((status as RouteStatus | undefined)?.parents ?? []).flatMap(({ parentRef, conditions }) =>
        conditionsOf(
          `parent ${parentRef.name}${parentRef.sectionName === undefined ? "" : `/${parentRef.sectionName}`}`,
          conditions,
        ),
      );
    default:
      return kind satisfies never;
  }
};

export const explainObject = (past: Past, kind: ExplainedKind, name: Name): ObjectAnswer => {
  const key = keyOf(kind, name);
  const entities: readonly (readonly [MachineId, string])[] =
    kind === "Gateway"
      ? [
          ["gateway", name],
          ...(past.rendered(name)?.listeners ?? []).map(({ entity }) => ["listener", entity] as const),
        ]
      : kind === "GatewayClass"
        ? []
        : [["route", key]];
  const moves = entities.flatMap(([machine, entity]) => past.move(machine, entity) ?? []);
  return {
    object: key,
    exists: past.view.get(kind, name) !== undefined,
    seen: past.object(key),
    conditions: statusConditions(kind, name, past.status(key)),
    moves: moves.map((move) => ({ move, chain: past.chain(move.seq) })),
  };
};
