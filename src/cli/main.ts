/** The command `turnpike`: one file a subcommand. */
import { Command, CommanderError } from "commander";
import { TurnpikeError } from "../errors.ts";
import { release } from "../release.ts";
import { withDoubleDashes } from "./go-flags.ts";

/** Only what a command needs is loaded: a probe does without Kubernetes. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  standalone: async () => (await import("./standalone.ts")).standaloneCommand(),
  operator: async () => (await import("./operator.ts")).operatorCommand(),
  dataplane: async () => (await import("./dataplane.ts")).dataplaneCommand(),
  load: async () => (await import("./load.ts")).loadCommand(),
  probe: async () => (await import("./probe.ts")).probeCommand(),
  status: async () => (await import("./status.ts")).statusCommand(),
  log: async () => (await import("./log.ts")).logCommand(),
  explain: async () => (await import("./explain.ts")).explainCommand(),
  replay: async () => (await import("./replay.ts")).replayCommand(),
  visualize: async () => (await import("./visualize.ts")).visualizeCommand(),
  render: async () => (await import("./render.ts")).renderCommand(),
  machines: async () => (await import("./machines.ts")).machinesCommand(),
};

const program = new Command("turnpike")
  .description("A Kubernetes media gateway for WebRTC, every step of it an event that replays")
  .version(release)
  .showHelpAfterError("(turnpike COMMAND --help tells more)")
  .exitOverride();

/** What was typed is quoted when it is wrong, less what may be a password in it. */
const withoutValues = (text: string): string =>
  text.replaceAll(/(--?[\w-]+)=[^'\s]*/g, "$1=…").replaceAll(/:[^\s:@'/]+@/g, ":…@");
program.configureOutput({ outputError: (text, write) => write(withoutValues(text)) });

const asked = commands[process.argv[2] ?? ""];
const loaded = asked === undefined ? Object.values(commands) : [asked];
for (const load of loaded) program.addCommand((await load()).copyInheritedSettings(program).exitOverride());

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
