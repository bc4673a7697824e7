/** The state machines as JSON for Stately's editor, generated from the machines. */
import type { MachineId } from "../journal/fact.ts";
import { machineIds, machines } from "../machines/machines.ts";

export interface Definition {
  readonly id: string;
  readonly initial: string;
  readonly states: Readonly<
    Record<string, { readonly type?: "final"; readonly on?: Readonly<Record<string, string>> }>
  >;
}

const definitionOf = (id: MachineId): Definition => {
  const { initial, states } = machines[id].root;
  return {
    id,
    initial: initial.target[0]?.key ?? "",
    states: Object.fromEntries(
      Object.entries(states).map(([name, state]) => {
        if (state.type === "final") return [name, { type: "final" as const }];
        const on = Object.fromEntries(
          [...state.transitions].flatMap(([event, transitions]) =>
            transitions.flatMap(({ target = [] }) => target.map(({ key }) => [event, key] as const)),
          ),
        );
        return [name, { on }];
      }),
    ),
  };
};

export const machineDefinitions = (): Readonly<Record<MachineId, Definition>> =>
  Object.fromEntries(machineIds.map((id) => [id, definitionOf(id)])) as Readonly<Record<MachineId, Definition>>;
