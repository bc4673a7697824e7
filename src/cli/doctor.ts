/** `turnpike doctor`: checks an installation in a cluster from the API server to a test allocation. */
import { Command, InvalidArgumentError } from "commander";
import { diagnose, type Diagnosis } from "../doctor/doctor.ts";
import { DEFAULT_CONTROLLER_NAME } from "../resources/names.ts";
import { addClusterOptions, type ClusterFlags } from "./discovery-options.ts";
import { readEvidence } from "./doctor-evidence.ts";
import { notWell, outputOption, print, type Format } from "./output.ts";
import { addVerificationOptions, verificationOf, type VerificationFlags } from "./verification-options.ts";

interface DoctorFlags extends ClusterFlags, VerificationFlags {
  readonly controllerName: string;
  readonly gateway?: string;
  readonly call: boolean;
  readonly timeout: number;
  readonly output: Format;
}

const parseTimeout = (text: string): number => {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("expected milliseconds, 1 to 999999");
  return Number(text);
};

const parseGateway = (text: string): string => {
  if (!/^([^/\s]+\/)?[^/\s]+$/.test(text)) throw new InvalidArgumentError("expected NAME or NAMESPACE/NAME");
  return text;
};

const OUTCOMES = ["ok", "warning", "failed", "skipped"] as const;

const text = (all: readonly Diagnosis[]): string => {
  const tally = OUTCOMES.map((outcome) => `${all.filter((one) => one.outcome === outcome).length} ${outcome}`);
  return [
    ...all.flatMap(({ outcome, title, says, details, problems }) => [
      outcome === "skipped" ? `skipped  ${title} (${says})` : `${outcome.padEnd(8)} ${title}: ${says}`,
      ...details.map((line) => `           ${line}`),
      ...problems.flatMap((one) => [
        `           ${one.severity}: ${one.object}: ${one.says} (${one.code})`,
        `             what to do: ${one.todo}`,
      ]),
    ]),
    tally.join(", "),
    "",
  ].join("\n");
};

const run = async (flags: DoctorFlags): Promise<void> => {
  const { call, timeout, ...options } = flags;
  const diagnoses = diagnose(
    await readEvidence({
      ...options,
      call: call ? { timeoutMs: timeout, ...verificationOf(flags) } : undefined,
    }),
  );
  await print(flags.output, { checks: diagnoses }, () => text(diagnoses));
  if (diagnoses.some(({ outcome }) => outcome === "failed")) notWell();
};

export const doctorCommand = (): Command =>
  addVerificationOptions(addClusterOptions(new Command("doctor")))
    .description(
      "check an installation in a cluster, from the API server to a test allocation; exits 1 where a check failed",
    )
    .option("--controller-name <name>", "which GatewayClasses are ours", DEFAULT_CONTROLLER_NAME)
    .option("--gateway <name>", "only this Gateway, NAME or NAMESPACE/NAME", parseGateway)
    .option("--no-call", "make no test allocations")
    .option("--timeout <ms>", "how long to wait for each answer of a listener", parseTimeout, 3000)
    .addOption(outputOption())
    .action(run);
