import fc from "fast-check";
import { createActor, type AnyStateMachine } from "xstate";
import { getShortestPaths, getSimplePaths } from "xstate/graph";
import { describe, expect, it } from "vitest";
import { createStepper, machineIds, machines } from "./machines.ts";

const stateNames = (machine: AnyStateMachine): readonly string[] => Object.keys(machine.root.states);
const eventsOf = (machine: AnyStateMachine): readonly string[] => [
  ...new Set(Object.values(machine.root.states).flatMap((state) => state.ownEvents as readonly string[])),
];
const logicOptions = (machine: AnyStateMachine) => ({ events: eventsOf(machine).map((type) => ({ type })) });

describe.each(machineIds)("the %s machine", (id) => {
  const machine = machines[id];

  it("reaches each of its states from the first one", () => {
    const reached = new Set(getShortestPaths(machine, logicOptions(machine)).map(({ state }) => state.value));
    expect([...reached].toSorted()).toEqual(stateNames(machine).toSorted());
  });

  it("can come to its end from wherever it is", () => {
    for (const start of stateNames(machine)) {
      const stepper = createStepper(machine);
      const open = [start];
      const visited = new Set(open);
      for (let state = open.pop(); state !== undefined; state = open.pop())
        for (const event of eventsOf(machine)) {
          const next = stepper.next(state, event);
          if (!visited.has(next)) open.push(next);
          visited.add(next);
        }
      expect(
        [...visited].some((state) => stepper.isFinal(state)),
        `from ${start}`,
      ).toBe(true);
    }
  });

  it("steps as XState's own actor does, along every path without a loop", () => {
    const stepper = createStepper(machine);
    const paths = getSimplePaths(machine, logicOptions(machine));
    expect(paths.length).toBeGreaterThanOrEqual(stateNames(machine).length);
    for (const path of paths) {
      let state = stepper.initial;
      for (const step of path.steps)
        if (step.event.type !== "xstate.init") state = stepper.next(state, step.event.type);
      expect(state).toBe(path.state.value);
    }
  });

  it("steps as XState's own actor does, on any sequence of events, and never leaves its end", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...eventsOf(machine)), { maxLength: 30 }), (events) => {
        const stepper = createStepper(machine);
        const actor = createActor(machine).start();
        let state = stepper.initial;
        for (const type of events) {
          const wasFinal = stepper.isFinal(state);
          const next = stepper.next(state, type);
          if (!wasFinal) actor.send({ type });
          if (wasFinal) expect(next).toBe(state);
          state = next;
          expect(state).toBe(actor.getSnapshot().value);
        }
      }),
    );
  });
});
