/** The states of the machines, for readers of logs. */
import type { MachineId } from "../journal/fact.ts";
import type { Core } from "./core.ts";
import { compareText } from "../order.ts";

/** States by entity, in the order of their names. */
export type States = Readonly<Record<MachineId, Readonly<Record<string, string>>>>;

const inOrder = (entities: ReadonlyMap<string, string>): Readonly<Record<string, string>> =>
  Object.fromEntries([...entities].toSorted(([a], [b]) => compareText(a, b)));

/** A stopped operator has no machine. */
export const statesOf = (core: Core): States => ({
  operator: inOrder(core.registry.entities("operator")),
  gateway: inOrder(core.registry.entities("gateway")),
  listener: inOrder(core.registry.entities("listener")),
  route: inOrder(core.registry.entities("route")),
  endpoint: inOrder(core.registry.entities("endpoint")),
  user: inOrder(core.registry.entities("user")),
});
