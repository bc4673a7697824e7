/** Serves the configs of an operator to its dataplanes. */
import type { Logger } from "pino";
import type { Core } from "../core/core.ts";
import { followAccess, type Access, type AccessFiles } from "../discovery/access-files.ts";
import { startDiscovery, type DiscoveryServer } from "../discovery/server.ts";
import { TurnpikeError } from "../errors.ts";
import type { Happening } from "../journal/fact.ts";
import type { Vault } from "../journal/vault.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import type { Name } from "../resources/keys.ts";
import { nodeAddresses } from "./node-addresses.ts";

export interface ConfigDiscoveryOptions {
  readonly bind: { readonly host: string; readonly port: number };
  /** TLS and the token at the start; `files` are read again, every `filesEveryMs` ms. */
  readonly access: Access;
  readonly files: AccessFiles;
  readonly filesEveryMs?: number | undefined;
  readonly core: Core;
  readonly vault: Vault;
  readonly report: (happenings: readonly Happening[]) => void;
  readonly onEvent: NonNullable<Parameters<typeof startDiscovery>[0]["report"]>;
  readonly log: Logger;
}

export interface ConfigDiscovery {
  readonly server: DiscoveryServer;
  /**
   * Serves `config` to the dataplanes of `gateway`; without a config, reports its removal. A config whose secrets are
   * unknown is not served: dataplanes keep the previous one.
   */
  serve(gateway: Name, config: DataplaneConfig | undefined, cause: number): void;
  close(): Promise<void>;
}

/** @throws the error of binding the address. */
export const startConfigDiscovery = async (options: ConfigDiscoveryOptions): Promise<ConfigDiscovery> => {
  const { bind, access, files, filesEveryMs, core, vault, report, log } = options;
  const server: DiscoveryServer = await startDiscovery({
    ...bind,
    ...access,
    // A Service must not route dataplanes to a standby, which may be out of date.
    isReady: () => ["leading", "draining"].includes(core.registry.state("operator", "operator") ?? ""),
    addressesOfNode: nodeAddresses(core, (node) => server.nodeChanged(node), log),
    report: options.onEvent,
  });
  const unfollow = followAccess(server, files, {
    initial: access,
    ...(filesEveryMs === undefined ? {} : { everyMs: filesEveryMs }),
    onRenewed: () => log.info("certificate or token of config discovery renewed"),
    onRefused: (reason) => log.warn({ reason }, "renewed certificate or token of config discovery refused"),
  });
  return {
    server,
    serve(gateway, config, cause) {
      try {
        server.set(gateway, config === undefined ? undefined : vault.reveal(config));
      } catch (error) {
        if (!(error instanceof TurnpikeError)) throw error;
        const data = { effect: "publish", target: gateway, reason: error.message };
        report([{ fact: { type: "effect.failed", data }, source: "discovery", cause }]);
      }
    },
    async close() {
      unfollow();
      await server.close();
    },
  };
};
