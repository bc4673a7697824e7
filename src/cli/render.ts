/** `turnpike render DIR`: what an operator would produce from these manifests, without a cluster. */
import { Command, Option } from "commander";
import { stringify } from "yaml";
import { keyOf, nameOfObject } from "../resources/keys.ts";
import { DEFAULT_DATAPLANE } from "../resources/names.ts";
import { operatorOptions, standaloneOptions } from "../runtime/options.ts";
import { clusterDomainOption } from "./cluster-domain.ts";
import { parseBoolean } from "./go-flags.ts";
import { notWell, outputOption, parseFormat, print, type Format } from "./output.ts";
import { rejectionLine, worldOfDirectory } from "./world.ts";

interface RenderCommandOptions {
  readonly output: Format;
  readonly standalone?: boolean;
  readonly reveal?: boolean;
  readonly endpointDiscovery: boolean;
  readonly clusterDomain: string;
}

const HIDDEN = "<secret>";

const hideSecrets = (value: unknown): unknown => {
  if (typeof value === "string") return value.startsWith("vault:") ? HIDDEN : value;
  if (Array.isArray(value)) return value.map(hideSecrets);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, hideSecrets(part)]));
  return value;
};

export const renderCommand = (): Command =>
  new Command("render")
    .description(
      "print the dataplane configs, objects and statuses that an operator would produce from a directory of manifests",
    )
    .argument("<dir>", "directory of manifests")
    .addOption(outputOption().default(parseFormat("yaml"), "yaml"))
    .option("--standalone", "what `turnpike standalone` would do, not an operator")
    .option("--reveal", "print secrets instead of hiding them")
    .addOption(
      new Option("--endpoint-discovery [bool]", "pod addresses from EndpointSlices; off: DNS names")
        .argParser(parseBoolean)
        .preset(true)
        .default(true),
    )
    .addOption(clusterDomainOption())
    .action(async (directory: string, flags: RenderCommandOptions) => {
      const { output, standalone, reveal, endpointDiscovery, clusterDomain } = flags;
      const options =
        standalone === true ? standaloneOptions("127.0.0.1") : operatorOptions({ endpointDiscovery, clusterDomain });
      const { core, vault, rejections, isDataplaneAssumed } = await worldOfDirectory(directory, options);
      for (const rejection of rejections) process.stderr.write(`${rejectionLine(rejection)}\n`);
      if (isDataplaneAssumed)
        process.stderr.write(
          `turnpike: no Dataplane "${DEFAULT_DATAPLANE}" in ${directory}; the one that a chart installs is assumed\n`,
        );

      const gateways = core.view
        .list("Gateway")
        .flatMap((object) => core.rendered(nameOfObject("Gateway", object)) ?? []);
      const configs = gateways.flatMap(({ config }) =>
        config === undefined ? [] : [reveal === true ? vault.reveal(config) : config],
      );
      const statuses = (["GatewayClass", "Gateway", "UDPRoute", "GatewayUDPRoute"] as const).flatMap((kind) =>
        core.view.list(kind).flatMap((object) => {
          const key = keyOf(kind, nameOfObject(kind, object));
          const status = core.status(key);
          return status === undefined ? [] : [[key, status] as const];
        }),
      );
      const rendered = {
        configs: Object.fromEntries(configs.map((config) => [config.admin.name, config])),
        objects: gateways.flatMap(({ objects }) => (reveal === true ? objects.map(vault.revealObject) : objects)),
        statuses: Object.fromEntries(statuses),
      };
      const shown = reveal === true ? rendered : hideSecrets(rendered);
      // There is no table: readers want configs and objects as YAML.
      await print(output, shown, () => stringify(shown, { aliasDuplicateObjects: false }));
      if (rejections.length > 0) notWell();
    });
