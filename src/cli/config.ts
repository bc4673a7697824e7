/** `turnpike config [GATEWAY]`: the active configs of dataplanes, from the config discovery server. */
import { Command } from "commander";
import { watchConfigs, type ConfigEvent } from "../discovery/client.ts";
import { DiscoveryError, fetchConfig, fetchConfigs } from "../discovery/fetch.ts";
import type { DiscoveryTarget } from "../discovery/origin.ts";
import { TurnpikeError } from "../errors.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { ADDRESS_PLACEHOLDER } from "../resources/names.ts";
import { configSummary, deletedSummary } from "./config-summary.ts";
import {
  addDiscoveryOptions,
  gatewayId,
  namespaceFor,
  reachDiscovery,
  type DiscoveryFlags,
} from "./discovery-options.ts";
import { documentWriter } from "./documents.ts";
import { hideSecrets } from "./hide-secrets.ts";
import { outputOption, print, TABLE, withProgress, type Format } from "./output.ts";
import { onStopSignal } from "./signals.ts";

interface ConfigFlags extends DiscoveryFlags {
  readonly allNamespaces?: boolean;
  readonly node?: string;
  readonly watch?: boolean;
  readonly reveal?: boolean;
  /** Prints a document for each config, and nothing if there are none, as `stunnerctl` does. */
  readonly documents?: boolean;
  readonly output: Format;
}

/** Placeholders are not expanded: they are for dataplanes. */
const UNEXPANDED = { STUNNER_ADDR: ADDRESS_PLACEHOLDER };

/** The scope of the request: one config, a namespace or all. */
type Scope = Pick<DiscoveryTarget, "id" | "namespace" | "node">;

const scopeOf = async (gateway: string | undefined, flags: ConfigFlags): Promise<Scope> => {
  if (gateway !== undefined) return { id: await gatewayId(gateway, flags), node: flags.node };
  return flags.allNamespaces === true ? {} : { namespace: await namespaceFor(flags) };
};

const writeDocuments = (output: Format, configs: readonly DataplaneConfig[]): void => {
  const documents = documentWriter(output);
  for (const config of configs) documents.write(config, () => configSummary(config));
};

const look = async (
  target: DiscoveryTarget,
  { output, documents }: ConfigFlags,
  shown: typeof hideSecrets,
): Promise<void> => {
  const { id } = target;
  if (id === undefined) {
    const configs = (await withProgress("asking for the configs", fetchConfigs(target))).map((one) => shown(one));
    if (documents === true && output.as !== "table") return writeDocuments(output, configs);
    if (output.as === "jsonpath") for (const config of configs) await print(output, config, () => "");
    else await print(output, { version: "v1", items: configs }, () => configs.map(configSummary).join("\n"));
    if (configs.length === 0 && documents !== true) process.stderr.write("there are no Gateways\n");
    return;
  }
  try {
    const config = shown(await withProgress("asking for the config", fetchConfig({ ...target, id })));
    if (documents === true && output.as !== "table") return writeDocuments(output, [config]);
    await print(output, config, () => configSummary(config));
  } catch (error) {
    if (!(error instanceof DiscoveryError) || error.status !== 404) throw error;
    throw new TurnpikeError("gateway-unknown", `the discovery server has no config of gateway ${id}`);
  }
};

type Show = (output: Format, value: unknown, table: () => string) => unknown;

const tell = (
  event: ConfigEvent,
  output: Format,
  shown: (config: DataplaneConfig) => DataplaneConfig,
  show: Show,
): unknown => {
  switch (event.event) {
    case "config":
      return show(output, shown(event.config), () => configSummary(shown(event.config)));
    case "deleted":
      if (output.as === "jsonpath") return print(TABLE, undefined, () => deletedSummary(event.id));
      return show(output, { deleted: event.id }, () => deletedSummary(event.id));
    case "lost":
    case "refused":
      return process.stderr.write(`${event.event}: ${event.reason}\n`);
    case "restored":
      return process.stderr.write("restored\n");
    default:
      return event satisfies never;
  }
};

const follow = (
  target: DiscoveryTarget,
  { output, documents }: ConfigFlags,
  shown: typeof hideSecrets,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const writer = documentWriter(output);
    const show: Show = documents === true ? (_, value, table) => writer.write(value, table) : print;
    let turn: Promise<unknown> = Promise.resolve();
    const subscription = watchConfigs({ ...target, environment: UNEXPANDED }).subscribe((event) => {
      turn = turn.then(() => tell(event, output, shown, show));
      turn.catch((error: unknown) => {
        subscription.unsubscribe();
        reject(error);
      });
    });
    onStopSignal(() => {
      subscription.unsubscribe();
      resolve();
    });
  });

export const showConfig = async (gateway: string | undefined, flags: ConfigFlags): Promise<void> => {
  const scope = await scopeOf(gateway, flags);
  const { target, close } = await reachDiscovery(flags);
  const shown: typeof hideSecrets = flags.reveal === true ? (config) => config : hideSecrets;
  try {
    await (flags.watch === true ? follow : look)({ ...target, ...scope }, flags, shown);
  } finally {
    close();
  }
};

/** Flags that `stunnerctl config` also has. */
export const addConfigOptions = (command: Command): Command =>
  addDiscoveryOptions(command)
    .argument("[gateway]", "NAME or NAMESPACE/NAME (default: all of the namespace)")
    .option("-w, --watch", "go on, and show each config as it changes")
    .option("--node <name>", "as the dataplane on this node sees it");

export const configCommand = (): Command =>
  addConfigOptions(new Command("config"))
    .description("show the configs that dataplanes are running on, from the config discovery server")
    .option("-A, --all-namespaces", "of all namespaces")
    .option("--reveal", "print secrets instead of hiding them")
    .addOption(outputOption())
    .action(showConfig);
