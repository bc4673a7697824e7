/** The six machines by name, and the one function that advances them. */
import { getInitialSnapshot, getNextSnapshot, type AnyStateMachine } from "xstate";
import type { MachineId } from "../journal/fact.ts";
import { endpointMachine, type EndpointEvent } from "./endpoint.ts";
import { gatewayMachine, type GatewayEvent } from "./gateway.ts";
import { listenerMachine, type ListenerEvent } from "./listener.ts";
import { operatorMachine, type OperatorEvent } from "./operator.ts";
import { routeMachine, type RouteEvent } from "./route.ts";
import { userMachine, type UserEvent } from "./user.ts";

export interface EventsOf {
  readonly operator: OperatorEvent["type"];
  readonly gateway: GatewayEvent["type"];
  readonly listener: ListenerEvent["type"];
  readonly route: RouteEvent["type"];
  readonly endpoint: EndpointEvent["type"];
  readonly user: UserEvent["type"];
}

export const machines: Readonly<Record<MachineId, AnyStateMachine>> = {
  operator: operatorMachine,
  gateway: gatewayMachine,
  listener: listenerMachine,
  route: routeMachine,
  endpoint: endpointMachine,
  user: userMachine,
};

export const machineIds = Object.keys(machines) as readonly MachineId[];

/** Advances instances of one machine. An instance is just the name of its state. */
export interface Stepper {
  readonly initial: string;
  /** The state after `event`; the same one if the event causes no transition. */
  next(state: string, event: string): string;
  isFinal(state: string): boolean;
}

/**
 * A machine without context depends only on its state and the event's type. So XState computes each step once and the
 * result is cached: fifty thousand endpoints share three snapshots, and a step costs a look-up instead of 25 µs.
 */
export const createStepper = (machine: AnyStateMachine): Stepper => {
  const steps = new Map<string, Map<string, string>>();
  const finals = new Map<string, boolean>();

  const snapshotOf = (state: string) => machine.resolveState({ value: state, context: {} });

  return {
    initial: String(getInitialSnapshot(machine).value),
    next(state, event) {
      let byEvent = steps.get(state);
      if (byEvent === undefined) steps.set(state, (byEvent = new Map()));
      let to = byEvent.get(event);
      if (to === undefined) {
        to = String(getNextSnapshot(machine, snapshotOf(state), { type: event }).value);
        byEvent.set(event, to);
      }
      return to;
    },
    isFinal(state) {
      let final = finals.get(state);
      if (final === undefined) finals.set(state, (final = snapshotOf(state).status === "done"));
      return final;
    },
  };
};
