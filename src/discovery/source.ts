/** Configs as a source of facts, for a dataplane. */
import { concatMap, from, type Observable } from "rxjs";
import type { Rejection } from "../journal/fact.ts";
import type { DataplaneConfig, ReceivedConfig } from "../resources/dataplane-config.ts";
import type { Name } from "../resources/keys.ts";
import type { Source, WatchEvent } from "../watchers/source.ts";
import type { ConfigEvent } from "./client.ts";
import { partsOf } from "./protocol.ts";

export interface ConfigSourceOptions {
  /** The origin of the configs, for messages. */
  readonly origin: string;
  /** Returns the configuration that was active before this start, if no server answers at first. */
  readonly lastKnownGood?: () => DataplaneConfig | undefined;
  /** Called with each valid config. */
  readonly onConfig?: (config: DataplaneConfig) => void;
}

/**
 * A config without a Gateway's name, for example from a file, gets the namespace `default`, because its object needs one.
 */
export const received = (config: DataplaneConfig): ReceivedConfig => {
  const { namespace, name } = partsOf(config.admin.name) ?? { namespace: "default", name: config.admin.name };
  return {
    apiVersion: "turnpike/v1",
    kind: "DataplaneConfig",
    metadata: { namespace, name },
    spec: { ...config, admin: { ...config.admin, name: `${namespace}/${name}` } },
  };
};

export const configSource = (configs: Observable<ConfigEvent>, options: ConfigSourceOptions): Source => {
  let isSynced = false;
  let rejection: Rejection | undefined;

  const seen = (config: DataplaneConfig): readonly WatchEvent[] => {
    const events: WatchEvent[] = [{ event: "seen", kind: "DataplaneConfig", object: received(config) }];
    if (rejection !== undefined) events.push({ event: "corrected", rejection });
    if (!isSynced) events.push({ event: "synced", objects: 1 });
    rejection = undefined;
    isSynced = true;
    return events;
  };

  const eventsOf = (event: ConfigEvent): readonly WatchEvent[] => {
    switch (event.event) {
      case "config":
        options.onConfig?.(event.config);
        return seen(event.config);
      case "deleted":
        return [{ event: "withdrawn", gateway: event.id as Name }];
      case "lost": {
        const last = isSynced ? undefined : options.lastKnownGood?.();
        return [{ event: "lost", reason: event.reason }, ...(last === undefined ? [] : seen(last))];
      }
      case "restored":
        return [{ event: "restored" }];
      case "refused": {
        const { reason } = event;
        if (rejection?.reason === reason) return [];
        const before = rejection;
        rejection = { code: "config-invalid", file: options.origin, line: 0, object: "", field: "", reason };
        return [
          ...(before === undefined ? [] : [{ event: "corrected", rejection: before } as const]),
          { event: "rejected", rejection },
        ];
      }
      default:
        return event satisfies never;
    }
  };

  return configs.pipe(
    concatMap((event) => {
      const events = eventsOf(event);
      return events.length === 0 ? [] : from([events]);
    }),
  );
};
