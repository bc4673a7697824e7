/** The configs that are served, by id. Subscribers receive the ids that changed and ask for the current state. */
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { encodeConfig, partsOf, type Scope } from "./protocol.ts";

export interface StoredConfig {
  /** `NAMESPACE/NAME`. */
  readonly id: string;
  readonly config: DataplaneConfig;
  /** The document in UTF-8: encoded once, shared by all recipients. */
  readonly frame: Buffer;
}

export interface ConfigStore {
  get(id: string): StoredConfig | undefined;
  /** The configs in `scope`, in the order of ids. */
  list(scope: Scope): readonly StoredConfig[];
  /**
   * Adds or replaces a config, or removes it with undefined.
   * @throws RangeError if the config has another name: receivers identify a config only by its `admin.name`.
   */
  set(id: string, config: DataplaneConfig | undefined): void;
  /** Replaces all configs by `configs`. A config whose `admin.name` is not `NAMESPACE/NAME` is left out. */
  replace(configs: readonly DataplaneConfig[]): void;
  /**
   * Calls `changed` with an id of `scope` whenever its config is added, removed or changed. Returns a function that
   * unsubscribes.
   */
  subscribe(scope: Scope, changed: (id: string) => void): () => void;
  readonly size: number;
}

/** The key of a scope's subscribers; `/` stands for all. */
const channelOf = (scope: Scope): string => {
  if (scope.of === "all") return "/";
  return scope.of === "namespace" ? scope.namespace : scope.id;
};

export const createStore = (): ConfigStore => {
  const configs = new Map<string, StoredConfig>();
  const channels = new Map<string, Set<(id: string) => void>>();

  const tell = (id: string): void => {
    for (const channel of ["/", id.slice(0, id.indexOf("/")), id])
      for (const changed of channels.get(channel) ?? []) changed(id);
  };

  const put = (id: string, config: DataplaneConfig): void => {
    const frame = Buffer.from(encodeConfig(config));
    if (configs.get(id)?.frame.equals(frame) === true) return;
    configs.set(id, { id, config, frame });
    tell(id);
  };

  return {
    get: (id) => configs.get(id),
    list(scope) {
      if (scope.of === "config") return [configs.get(scope.id)].filter((stored) => stored !== undefined);
      const inScope =
        scope.of === "all"
          ? [...configs.values()]
          : [...configs.values()].filter(({ id }) => id.startsWith(`${scope.namespace}/`));
      return inScope.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    },
    set(id, config) {
      if (config === undefined) {
        if (configs.delete(id)) tell(id);
        return;
      }
      if (config.admin.name !== id || partsOf(id) === undefined)
        throw new RangeError(`the config ${JSON.stringify(config.admin.name)} cannot be served as ${id}`);
      put(id, config);
    },
    replace(complete) {
      const next = new Map(
        complete.flatMap((config) =>
          partsOf(config.admin.name) === undefined ? [] : [[config.admin.name, config] as const],
        ),
      );
      for (const id of configs.keys())
        if (!next.has(id)) {
          configs.delete(id);
          tell(id);
        }
      for (const [id, config] of next) put(id, config);
    },
    subscribe(scope, changed) {
      const channel = channelOf(scope);
      const subscribers = channels.get(channel) ?? new Set();
      channels.set(channel, subscribers);
      subscribers.add(changed);
      return () => {
        subscribers.delete(changed);
        if (subscribers.size === 0 && channels.get(channel) === subscribers) channels.delete(channel);
      };
    },
    get size() {
      return configs.size;
    },
  };
};
