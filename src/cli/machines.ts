/** `turnpike machines`: the state machines as Mermaid diagrams. */
import { Command, Argument } from "commander";
import { machineIds, machines } from "../machines/machines.ts";
import { mermaidOf } from "../machines/mermaid.ts";
import type { MachineId } from "../journal/fact.ts";

/** All machines as Markdown, as `docs/reference/machines.md` embeds them. */
export const machinesMarkdown = (): string =>
  machineIds.map((id) => `## ${id}\n\n\`\`\`mermaid\n${mermaidOf(machines[id])}\`\`\`\n`).join("\n");

export const machinesCommand = (): Command =>
  new Command("machines")
    .description("print the state machines as Mermaid diagrams")
    .addArgument(new Argument("[machine]", "one of them").choices([...machineIds]))
    .action((machine: MachineId | undefined) => {
      process.stdout.write(machine === undefined ? machinesMarkdown() : mermaidOf(machines[machine]));
    });
