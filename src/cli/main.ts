/** The command `turnpike`: one file a subcommand. */
import { Command, CommanderError } from "commander";
import { TurnpikeError } from "../errors.ts";
import { release } from "../release.ts";
import { logCommand } from "./log.ts";
import { machinesCommand } from "./machines.ts";
import { withDoubleDashes } from "./go-flags.ts";
import { operatorCommand } from "./operator.ts";
import { probeCommand } from "./probe.ts";
import { renderCommand } from "./render.ts";
import { replayCommand } from "./replay.ts";
import { standaloneCommand } from "./standalone.ts";
import { statusCommand } from "./status.ts";

const program = new Command("turnpike")
  .description("A Kubernetes media gateway for WebRTC, every step of it an event that replays")
  .version(release)
  .showHelpAfterError("(turnpike COMMAND --help tells more)")
  .exitOverride();

for (const command of [
  standaloneCommand(),
  operatorCommand(),
  probeCommand(),
  statusCommand(),
  logCommand(),
  replayCommand(),
  renderCommand(),
  machinesCommand(),
])
  program.addCommand(command.exitOverride());

// `turnpike log | head` must not end in a stack trace.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

/** `turnpike operator` takes flags as the Go program does that it replaces. */
const withGoFlags = (argv: readonly string[]): string[] =>
  argv[2] === "operator" ? [...argv.slice(0, 3), ...withDoubleDashes(argv.slice(3))] : [...argv];

try {
  await program.parseAsync(withGoFlags(process.argv));
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof TurnpikeError) {
    process.stderr.write(`turnpike: ${error.message} (${error.code})\n`);
    process.exitCode = error.code === "usage" ? 2 : 1;
  } else if (error instanceof Error && "syscall" in error) {
    // What the system refused needs no stack: the message names the file or address.
    process.stderr.write(`turnpike: ${error.message}\n`);
    process.exitCode = 1;
  } else {
    process.stderr.write(`turnpike: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  }
}
