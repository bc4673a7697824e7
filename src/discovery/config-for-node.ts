/** A config for the one dataplane that reports which node it runs on. */
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { ADDRESS_PLACEHOLDER, MAX_ALTERNATES, NODE_ADDRESS_PLACEHOLDER } from "../resources/names.ts";

/**
 * `config` with the first of `addresses` for the placeholder, and the others beside it; without an address of the node, the
 * dataplane must know its own. The same object if it has no placeholder, so that its encoding can be shared.
 */
const withNodeAddresses = (
  config: DataplaneConfig,
  [address = ADDRESS_PLACEHOLDER, ...others]: readonly string[],
): DataplaneConfig =>
  config.listeners?.some((listener) => listener.address === NODE_ADDRESS_PLACEHOLDER) === true
    ? {
        ...config,
        listeners: config.listeners.map((listener) =>
          listener.address === NODE_ADDRESS_PLACEHOLDER
            ? { ...listener, address, ...(others.length === 0 ? {} : { more_addresses: others }) }
            : listener,
        ),
      }
    : config;

/** `config` with alternates on other nodes only. The same object if it has none. */
const withoutItself = (config: DataplaneConfig, node: string): DataplaneConfig =>
  config.alternates === undefined
    ? config
    : { ...config, alternates: config.alternates.filter((one) => one.node !== node).slice(0, MAX_ALTERNATES) };

/** The same object if nothing needs to be replaced. */
export const configForNode = (config: DataplaneConfig, node: string, addresses: readonly string[]): DataplaneConfig =>
  withoutItself(withNodeAddresses(config, addresses), node);
