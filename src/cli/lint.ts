/**
 * `turnpike lint [DIR]`: finds misconfigurations before they cause failures, in a directory of manifests or in a cluster.
 */
import { wallMs } from "../clock.ts";
import { Command, InvalidArgumentError } from "commander";
import { TurnpikeError } from "../errors.ts";
import { apiOf } from "../kubernetes/connect.ts";
import { loadKubeconfig } from "../kubernetes/kubeconfig.ts";
import { finding, findings, type Finding, type FindingCode } from "../lint/finding.ts";
import { lint } from "../lint/lint.ts";
import { DEFAULT_CONTROLLER_NAME } from "../resources/names.ts";
import { operatorOptions } from "../runtime/options.ts";
import { addClusterOptions, type ClusterFlags } from "./discovery-options.ts";
import { notWell, outputOption, print, refuseUsage, withProgress, type Format } from "./output.ts";
import { worldOfCluster, worldOfDirectory, type World } from "./world.ts";

interface LintFlags extends ClusterFlags {
  readonly cluster?: boolean;
  readonly controllerName: string;
  readonly requireReferenceGrants?: boolean;
  readonly ignore?: readonly FindingCode[];
  readonly strict?: boolean;
  readonly output: Format;
}

const parseCode = (text: string, before: readonly FindingCode[] = []): readonly FindingCode[] => {
  if (!Object.hasOwn(findings, text))
    throw new InvalidArgumentError(`the codes are ${Object.keys(findings).join(", ")}`);
  return [...before, text as FindingCode];
};

const load = async (directory: string | undefined, flags: LintFlags): Promise<World> => {
  const { controllerName, requireReferenceGrants = false } = flags;
  const options = operatorOptions({ controllerName, requireReferenceGrants });
  if (directory !== undefined) return worldOfDirectory(directory, options);
  const api = await apiOf(await loadKubeconfig(flags));
  try {
    return await withProgress("reading the cluster", worldOfCluster(api, options));
  } finally {
    await api.close();
  }
};

const text = (found: readonly Finding[]): string => {
  const count = (severity: Finding["severity"]): number => found.filter((one) => one.severity === severity).length;
  const [errors, warnings] = [count("error"), count("warning")];
  return [
    ...found.map(
      ({ severity, code, object, says, todo }) => `${severity}: ${object}: ${says} (${code})\n  what to do: ${todo}\n`,
    ),
    `${errors} error${errors === 1 ? "" : "s"}, ${warnings} warning${warnings === 1 ? "" : "s"}\n`,
  ].join("");
};

const run = async (directory: string | undefined, flags: LintFlags): Promise<void> => {
  if ((directory === undefined) !== (flags.cluster === true))
    refuseUsage("name a directory of manifests, or ask for --cluster");
  const { core, rejections } = await load(directory, flags);
  const { view, options } = core;
  if (flags.cluster === true && view.list("GatewayClass").length + view.list("Gateway").length === 0)
    throw new TurnpikeError("nothing-known", "the cluster has neither a GatewayClass nor a Gateway");
  const world = { view, options, rendered: core.rendered, hasEndpoints: flags.cluster === true, now: wallMs() };
  const found = [
    ...rejections.map(({ file, line, object, field, reason }) =>
      finding("manifest", object || `${file}:${line}`, [`${file}:${line}`, field, reason].filter(Boolean).join(": ")),
    ),
    ...lint(world),
  ].filter(({ code }) => flags.ignore?.includes(code) !== true);
  await print(flags.output, { findings: found }, () => text(found));
  const isGrave = ({ severity }: Finding): boolean =>
    severity === "error" || (flags.strict === true && severity === "warning");
  if (found.some(isGrave)) notWell();
};

export const lintCommand = (): Command =>
  addClusterOptions(new Command("lint"))
    .description("find misconfigurations in a directory of manifests or in a cluster; exits 1 where there are errors")
    .argument("[dir]", "directory of manifests")
    .option("--cluster", "look at the cluster of the kubeconfig instead")
    .option("--controller-name <name>", "which GatewayClasses are ours", DEFAULT_CONTROLLER_NAME)
    .option("--require-reference-grants", "as the operator is started")
    .option("--ignore <code>", "leave these findings out; may be given again", parseCode)
    .option("--strict", "exit 1 where there are warnings, too")
    .addOption(outputOption())
    .action(run);
