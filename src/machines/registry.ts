/** Every instance of every machine, by entity. Sending an event returns a transition, or undefined. */
import type { Derivation, MachineId } from "../journal/fact.ts";
import { createStepper, machineIds, machines, type EventsOf, type Stepper } from "./machines.ts";

export type Transition = Extract<Derivation, { readonly type: "transition" }>;

export interface Registry {
  /** The state of an instance; undefined if it does not exist. */
  state(machine: MachineId, entity: string): string | undefined;
  /**
   * Sends `event`, and creates the instance first if it does not exist (`birth` is then a separate transition, from
   * nothing). An instance in a final state is removed.
   */
  send<M extends MachineId>(machine: M, entity: string, event: EventsOf[M], why?: string): readonly Transition[];
  /** Creates the instance in its initial state if it does not exist. */
  create(machine: MachineId, entity: string, why?: string): readonly Transition[];
  entities(machine: MachineId): ReadonlyMap<string, string>;
  export(): RegistrySnapshot;
  /** Restores all instances from a snapshot, and removes all others. */
  restore(snapshot: RegistrySnapshot): void;
}

type Instances = readonly (readonly [string, string])[];

/** Machines without instances are absent if logs of earlier releases do not have them. */
export type RegistrySnapshot = Readonly<Record<Exclude<MachineId, "user">, Instances>> & { readonly user?: Instances };

const transition = (
  machine: MachineId,
  entity: string,
  from: string,
  event: string,
  to: string,
  why: string | undefined,
): Transition => ({
  type: "transition",
  data: { machine, entity, from, event, to, ...(why === undefined || why === "" ? {} : { why }) },
});

export const createRegistry = (snapshot?: RegistrySnapshot): Registry => {
  const steppers = Object.fromEntries(machineIds.map((id) => [id, createStepper(machines[id])])) as Readonly<
    Record<MachineId, Stepper>
  >;
  const instances = Object.fromEntries(
    machineIds.map((id) => [id, new Map<string, string>(snapshot?.[id])]),
  ) as unknown as Readonly<Record<MachineId, Map<string, string>>>;

  const create: Registry["create"] = (machine, entity, why) => {
    if (instances[machine].has(entity)) return [];
    const { initial } = steppers[machine];
    instances[machine].set(entity, initial);
    return [transition(machine, entity, "", "created", initial, why)];
  };

  return {
    state: (machine, entity) => instances[machine].get(entity),
    create,
    send(machine, entity, event, why) {
      const born = create(machine, entity, why);
      const from = instances[machine].get(entity) ?? steppers[machine].initial;
      const to = steppers[machine].next(from, event);
      if (to === from) return born;
      if (steppers[machine].isFinal(to)) instances[machine].delete(entity);
      else instances[machine].set(entity, to);
      return [...born, transition(machine, entity, from, event, to, why)];
    },
    entities: (machine) => instances[machine],
    export: () =>
      Object.fromEntries(
        machineIds.filter((id) => id !== "user" || instances.user.size > 0).map((id) => [id, [...instances[id]]]),
      ) as unknown as RegistrySnapshot,
    restore(snapshot) {
      for (const id of machineIds) {
        instances[id].clear();
        for (const [entity, state] of snapshot[id] ?? []) instances[id].set(entity, state);
      }
    },
  };
};
