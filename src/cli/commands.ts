/** Every subcommand of `turnpike`, and the program that consists of them. */
import { Command, type OutputConfiguration } from "commander";
import { release } from "../release.ts";

/** Loads only what a command needs: a probe works without Kubernetes. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  standalone: async () => (await import("./standalone.ts")).standaloneCommand(),
  operator: async () => (await import("./operator.ts")).operatorCommand(),
  dataplane: async () => (await import("./dataplane.ts")).dataplaneCommand(),
  load: async () => (await import("./load.ts")).loadCommand(),
  probe: async () => (await import("./probe.ts")).probeCommand(),
  connect: async () => (await import("./connect.ts")).connectCommand(),
  config: async () => (await import("./config.ts")).configCommand(),
  auth: async () => (await import("./auth.ts")).authCommand(),
  authd: async () => (await import("./authd.ts")).authdCommand(),
  icetest: async () => (await import("./icetest.ts")).iceTestCommand(),
  icetester: async () => (await import("./icetester.ts")).iceTesterCommand(),
  status: async () => (await import("./status.ts")).statusCommand(),
  offload: async () => (await import("./offload.ts")).offloadCommand(),
  kick: async () => (await import("./users.ts")).kickCommand(),
  block: async () => (await import("./users.ts")).blockCommand(),
  unblock: async () => (await import("./users.ts")).unblockCommand(),
  log: async () => (await import("./log.ts")).logCommand(),
  usage: async () => (await import("./usage.ts")).usageCommand(),
  explain: async () => (await import("./explain.ts")).explainCommand(),
  replay: async () => (await import("./replay.ts")).replayCommand(),
  visualize: async () => (await import("./visualize.ts")).visualizeCommand(),
  render: async () => (await import("./render.ts")).renderCommand(),
  lint: async () => (await import("./lint.ts")).lintCommand(),
  doctor: async () => (await import("./doctor.ts")).doctorCommand(),
  machines: async () => (await import("./machines.ts")).machinesCommand(),
  completion: async () => (await import("./completion.ts")).completionCommand(() => buildProgram()),
};

/** Programs whose names and flags this program also accepts; not listed in the help. */
const oldNames: Readonly<Record<string, () => Promise<Command>>> = {
  stunnerctl: async () => (await import("./stunnerctl.ts")).stunnerctlCommand(),
};

/** The program, with only the command `asked` if it exists: other commands are not loaded. */
export const buildProgram = async (asked = "", output: OutputConfiguration = {}): Promise<Command> => {
  const program = new Command("turnpike")
    .description("A Kubernetes media gateway for WebRTC, every step of it an event that replays")
    .version(release)
    .showHelpAfterError("(turnpike COMMAND --help tells more)")
    .exitOverride()
    .configureOutput(output);
  const add = async (load: () => Promise<Command>, hidden: boolean): Promise<void> =>
    void program.addCommand(settle(await load(), program), { hidden });
  const one = commands[asked];
  const old = oldNames[asked];
  if (one !== undefined) await add(one, false);
  else if (old !== undefined) await add(old, true);
  else for (const load of Object.values(commands)) await add(load, false);
  return program;
};

/** Settings are copied down to the last subcommand: a command that was created separately has none of them. */
const settle = (command: Command, parent: Command): Command => {
  command.copyInheritedSettings(parent).exitOverride();
  for (const child of command.commands) settle(child, command);
  return command;
};
