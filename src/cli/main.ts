/** The command `turnpike`: one file per subcommand. */
import { CommanderError } from "commander";
import { TurnpikeError } from "../errors.ts";
import { buildProgram } from "./commands.ts";
import { commandFirst, withDoubleDashes } from "./go-flags.ts";
import { stunnerctlNames } from "./stunnerctl-names.ts";

/** Error messages quote the arguments, without any password in them. */
const withoutValues = (text: string): string =>
  text.replaceAll(/(--?[\w-]+)=[^'\s]*/g, "$1=…").replaceAll(/:[^\s:@'/]+@/g, ":…@");
const program = await buildProgram(process.argv[2], {
  outputError: (text, write) => write(withoutValues(text)),
});

// `turnpike log | head` must not end in a stack trace.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

/** Flags in the syntax of the Go programs that some commands replace. */
const withGoFlags = (argv: readonly string[]): string[] => {
  const [start, args] = [argv.slice(0, 3), argv.slice(3)];
  if (argv[2] === "operator") return [...start, ...withDoubleDashes(args)];
  if (argv[2] === "stunnerctl") return [...start, ...commandFirst(args, stunnerctlNames)];
  return [...argv];
};

try {
  await program.parseAsync(withGoFlags(process.argv));
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof TurnpikeError) {
    process.stderr.write(`turnpike: ${error.message} (${error.code})\n`);
    process.exitCode = error.code === "usage" ? 2 : 1;
  } else if (error instanceof Error && "syscall" in error) {
    // System errors need no stack trace: the message names the file or address.
    process.stderr.write(`turnpike: ${error.message}\n`);
    process.exitCode = 1;
  } else {
    process.stderr.write(`turnpike: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  }
}
