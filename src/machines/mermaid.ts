/** A machine as a Mermaid state diagram, generated from the machine itself. */
import type { AnyStateMachine } from "xstate";

export const mermaidOf = (machine: AnyStateMachine): string => {
  const { initial, states } = machine.root;
  const first = initial.target[0]?.key ?? "";
  const lines = ["stateDiagram-v2", `  [*] --> ${first}`];
  for (const [name, state] of Object.entries(states)) {
    const byTarget = new Map<string, string[]>();
    for (const [event, transitions] of state.transitions)
      for (const transition of transitions)
        for (const target of transition.target ?? [])
          byTarget.set(target.key, [...(byTarget.get(target.key) ?? []), event]);
    for (const [target, events] of byTarget) lines.push(`  ${name} --> ${target}: ${events.join(", ")}`);
    if (state.type === "final") lines.push(`  ${name} --> [*]`);
  }
  return `${lines.join("\n")}\n`;
};
