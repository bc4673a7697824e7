/** `turnpike completion SHELL`: shell completion of commands and flags, generated from their definitions. */
import { Argument, Command } from "commander";
import { bashCompletion } from "./completion/bash.ts";
import { fishCompletion } from "./completion/fish.ts";
import { completedCommands, type CompletedCommand } from "./completion/tree.ts";
import { zshCompletion } from "./completion/zsh.ts";

type Shell = "bash" | "zsh" | "fish";

const scripts: Readonly<Record<Shell, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** @param build returns the program with all of its commands. */
export const completionCommand = (build: () => Promise<Command>): Command =>
  new Command("completion")
    .description("print the completion for a shell; source <(turnpike completion bash)")
    .addArgument(new Argument("<shell>", "which one").choices(Object.keys(scripts)))
    .action(async (shell: Shell) => {
      process.stdout.write(scripts[shell](completedCommands(await build())));
    });
