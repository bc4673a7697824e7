/** Whether a command of the documentation would be taken: by our own command line, by Helm, by kubectl. */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { CommanderError, type Command } from "commander";
import { programs } from "../../deploy/image/names.ts";
import { definitions } from "../../scripts/resources-page.ts";
import { root } from "../../scripts/site/pages.ts";
import { buildProgram } from "../../src/cli/commands.ts";
import type { Helm } from "../chart/helm.ts";

const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>;
};

/** Programs of other people, which are used as everybody uses them. */
const OTHERS: readonly string[] = [
  "az",
  "cd",
  "cp",
  "ctr",
  "curl",
  "docker",
  "echo",
  "eksctl",
  "export",
  "gcloud",
  "git",
  "grep",
  "jq",
  "k3d",
  "kind",
  "minikube",
  "mkdir",
  "openssl",
  "sed",
  "source",
  "tail",
  "sha256sum",
  "shasum",
  "tar",
  "perf",
  "podman",
  "iperf3",
  "unshare",
  "chroot",
  "nc",
  "turnutils_stunclient",
];

/** Names of our programs, and the arguments that each begins with. */
const ALIASES: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries(programs).map(([path, first]) => [basename(path), first]),
);

const checkOptions = (command: Command, given: readonly string[]): string | undefined => {
  const asked = command.commands.find((one) => one.name() === given[0] || one.aliases().includes(given[0] ?? ""));
  if (asked !== undefined) return checkOptions(asked, given.slice(1));
  if (given.includes("--help")) return undefined;
  try {
    const { operands, unknown } = command.parseOptions([...given]);
    if (unknown.length > 0) return `${command.name()} has no ${unknown[0]}`;
    if (command.commands.length > 0 && command.registeredArguments.length === 0 && operands.length > 0)
      return `${command.name()} has no ${operands[0]}`;
    const required = command.registeredArguments.filter((one) => one.required).length;
    const most = command.registeredArguments.some((one) => one.variadic)
      ? Infinity
      : command.registeredArguments.length;
    if (operands.length < required || operands.length > most)
      return `${command.name()} takes ${required} to ${most} arguments, not ${operands.length}`;
    return undefined;
  } catch (error) {
    if (error instanceof CommanderError) return error.message;
    throw error;
  }
};

const checkTurnpike = async (name: string, given: readonly string[]): Promise<string | undefined> => {
  const args = [...(ALIASES[name] ?? []), ...given];
  if (args.length === 0 || args[0] === "--version" || args[0] === "--help") return undefined;
  const program = await buildProgram(args[0], { writeErr: () => undefined });
  if (!program.commands.some((one) => one.name() === args[0])) return `there is no turnpike ${args[0]}`;
  return checkOptions(program, args);
};

const checkNpm = (args: readonly string[]): string | undefined => {
  const [verb, name = ""] = args;
  if (verb === "run") return name in scripts ? undefined : `there is no script ${name}`;
  if (verb === "test" || verb === "start") return verb in scripts ? undefined : `there is no script ${verb}`;
  return ["ci", "install", "pack", "i", "ls", "view"].includes(verb ?? "") ? undefined : `npm ${verb}?`;
};

const checkNpx = async (args: readonly string[]): Promise<string | undefined> => {
  const [name, ...rest] = args;
  if (name === "turnpike" || name?.endsWith(".tgz") === true) return checkTurnpike("turnpike", rest);
  if (name !== "vitest") return `npx ${name}?`;
  const paths = rest.filter((one) => /^(src|test)\//.test(one));
  const missing = paths.find((path) => !existsSync(join(root, path)) && !existsSync(join(root, `${path}.test.ts`)));
  return missing === undefined ? undefined : `${missing} is not there`;
};

const CHART = "deploy/helm/turnpike";

const checkHelm = async (helm: Helm, args: readonly string[]): Promise<string | undefined> => {
  const [verb] = args;
  if (!["install", "upgrade", "template"].includes(verb ?? ""))
    return [
      "uninstall",
      "rollback",
      "list",
      "get",
      "show",
      "repo",
      "lint",
      "history",
      "status",
      "dependency",
      "registry",
    ].includes(verb ?? "")
      ? undefined
      : `helm ${verb}?`;
  if (!args.includes(CHART)) return undefined;
  const settings = args.flatMap((one, index) => (args[index - 1] === "--set" ? ["--set", one] : []));
  try {
    await helm("template", "release", join(root, CHART), ...settings);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.slice(0, 500) : String(error);
  }
};

const VERBS =
  "apply get describe delete patch wait rollout logs scale port-forward explain create label annotate exec edit set top run turnpike debug autoscale".split(
    " ",
  );
const BUILT_IN =
  "deployment deployments deploy daemonset daemonsets pod pods service services svc secret secrets job jobs namespace namespaces ns node nodes crd crds customresourcedefinitions lease leases event events endpointslices configmap configmaps certificate certificates gateway gateways gatewayclass gatewayclasses udproute udproutes hpa all clusterrole clusterissuer issuer".split(
    " ",
  );
const OURS = definitions.flatMap(({ spec: { group, names } }) => [
  ...[names.plural, names.singular].flatMap((name) => [name, `${name}.${group}`]),
  ...(names.shortNames ?? []),
]);
const KINDS: ReadonlySet<string> = new Set([...BUILT_IN, ...OURS]);
const WITH_KIND = [
  "get",
  "describe",
  "delete",
  "patch",
  "wait",
  "logs",
  "scale",
  "port-forward",
  "label",
  "annotate",
  "edit",
];

const checkKubectl = async (args: readonly string[]): Promise<string | undefined> => {
  // Flags that stand before the verb take a word each.
  const before = args.findIndex(
    (one, index) => !one.startsWith("-") && !["-n", "--namespace", "--context"].includes(args[index - 1] ?? ""),
  );
  const [verb = "", ...rest] = args.slice(before);
  if (!VERBS.includes(verb)) return `kubectl ${verb}?`;
  if (verb === "turnpike") return checkTurnpike("turnpike", rest);
  const file = rest[rest.findIndex((one) => one === "-f" || one === "--filename") + 1];
  if (rest.includes("-f") && file?.startsWith("deploy/") === true && !existsSync(join(root, file)))
    return `${file} is not there`;
  if (!WITH_KIND.includes(verb) || rest.includes("-f")) return undefined;
  const object = rest.find(
    (one, index) =>
      !one.startsWith("-") &&
      !/^(-n|--namespace|-o|--output|-l|--selector|-c|--container|--type|-p|--patch|--timeout|--for|--since|--tail)$/.test(
        rest[index - 1] ?? "",
      ),
  );
  if (object === undefined) return `${verb} of what?`;
  // A pod by its name, or by a word in its place.
  if ((verb === "logs" || verb === "port-forward") && !object.includes("/")) return undefined;
  const kinds = (object.split("/")[0] ?? "").split(",");
  const unknown = kinds.find((kind) => !KINDS.has(kind.toLowerCase()) && !/\.(k8s\.io|cert-manager\.io)$/.test(kind));
  return unknown === undefined ? undefined : `${unknown} is no kind`;
};

/** Why it would not be taken; undefined where it would. @throws where nobody knows such a command. */
export const complaintOf = async (words: readonly string[], helm: Helm): Promise<string | undefined> => {
  const [first = "", ...rest] = words;
  const program = first.replace(/^(\.\/)?bin\/|^\.\//, "");
  if (program in ALIASES) return checkTurnpike(program, rest);
  switch (program) {
    case "npm":
      return checkNpm(rest);
    case "npx":
      return checkNpx(rest);
    case "helm":
      return checkHelm(helm, rest);
    case "kubectl":
      return checkKubectl(rest);
    case "sudo":
      return undefined;
    case "bash":
    case "node":
      return existsSync(join(root, rest.find((one) => !one.startsWith("-")) ?? ""))
        ? undefined
        : `${rest[0]} is not there`;
    default:
      return OTHERS.includes(program) ? undefined : `nobody knows ${first}`;
  }
};

/** Whether `word` is a program that is known, where a block may be anything. */
export const isProgram = (word: string): boolean =>
  word.replace(/^(\.\/)?bin\//, "") in ALIASES || ["npm", "npx", "helm", "kubectl", ...OTHERS].includes(word);
