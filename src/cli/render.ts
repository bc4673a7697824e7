/** `turnpike render DIR`: what an operator would produce from these manifests, without a cluster. */
import { Command, Option } from "commander";
import { firstValueFrom } from "rxjs";
import { stringify } from "yaml";
import { createCore } from "../core/core.ts";
import { digest } from "../journal/digest.ts";
import { JOURNAL_VERSION, type Fact } from "../journal/fact.ts";
import { createVault } from "../journal/vault.ts";
import { release } from "../release.ts";
import { nameOfObject, type ObjectKey } from "../resources/keys.ts";
import type { AnyObject } from "../resources/kinds.ts";
import { DEFAULT_DATAPLANE } from "../resources/names.ts";
import { operatorOptions, standaloneOptions } from "../runtime/options.ts";
import { watchDirectory } from "../watchers/directory.ts";

interface RenderCommandOptions {
  readonly output: "yaml" | "json";
  readonly standalone?: boolean;
  readonly reveal?: boolean;
}

/** What a chart installs beside the operator. */
const defaultDataplane = {
  apiVersion: "stunner.l7mp.io/v1",
  kind: "Dataplane",
  metadata: { name: DEFAULT_DATAPLANE },
  spec: {},
} as AnyObject;

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
    .addOption(new Option("-o, --output <format>", "how to print").choices(["yaml", "json"]).default("yaml"))
    .option("--standalone", "what `turnpike standalone` would do, not an operator")
    .option("--reveal", "print secrets instead of hiding them")
    .action(async (directory: string, { output, standalone, reveal }: RenderCommandOptions) => {
      const vault = createVault();
      const core = createCore(standalone === true ? standaloneOptions("127.0.0.1") : operatorOptions(), digest);
      let seq = 0;
      const apply = (fact: Fact): void => {
        seq += 1;
        core.apply({ v: JOURNAL_VERSION, seq, time: 0, source: "directory", cause: null, ...fact });
      };

      apply({ type: "operator.started", data: { options: core.options, release } });
      let rejected = 0;
      let hasDataplane = false;
      for (const event of await firstValueFrom(watchDirectory(directory))) {
        if (event.event === "seen") {
          hasDataplane ||= event.kind === "Dataplane" && event.object.metadata.name === DEFAULT_DATAPLANE;
          apply({ type: "object.seen", data: { kind: event.kind, object: vault.redact(event.kind, event.object) } });
        } else if (event.event === "rejected") {
          rejected += 1;
          const { file, line, object, field, reason } = event.rejection;
          process.stderr.write(
            `${file}:${line}: ${[object, field, reason].filter((part) => part !== "").join(": ")}\n`,
          );
        }
      }
      if (!hasDataplane && standalone !== true) {
        process.stderr.write(
          `turnpike: no Dataplane "${DEFAULT_DATAPLANE}" in ${directory}; the one that a chart installs is assumed\n`,
        );
        apply({ type: "object.seen", data: { kind: "Dataplane", object: defaultDataplane } });
      }
      apply({ type: "objects.synced", data: { objects: seq } });
      if (standalone !== true) core.registry.send("operator", "operator", "elected");
      core.fold(0);

      const gateways = core.view
        .list("Gateway")
        .flatMap((object) => core.rendered(nameOfObject("Gateway", object)) ?? []);
      const configs = gateways.flatMap(({ config }) =>
        config === undefined ? [] : [reveal === true ? vault.reveal(config) : config],
      );
      const statuses = (["GatewayClass", "Gateway", "UDPRoute", "GatewayUDPRoute"] as const).flatMap((kind) =>
        core.view.list(kind).flatMap((object) => {
          const key = `${kind}/${nameOfObject(kind, object)}`;
          const status = core.status(key as ObjectKey);
          return status === undefined ? [] : [[key, status] as const];
        }),
      );
      const rendered = {
        configs: Object.fromEntries(configs.map((config) => [config.admin.name, config])),
        objects: gateways.flatMap(({ objects }) => (reveal === true ? objects.map(vault.revealObject) : objects)),
        statuses: Object.fromEntries(statuses),
      };
      const shown = reveal === true ? rendered : hideSecrets(rendered);
      process.stdout.write(output === "json" ? `${JSON.stringify(shown, undefined, 2)}\n` : stringify(shown));
      if (rejected > 0) process.exitCode = 1;
    });
