/** The addresses of a node in the listeners of a config, for the one dataplane that reports which node it runs on. */
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { ADDRESS_PLACEHOLDER, NODE_ADDRESS_PLACEHOLDER } from "../resources/names.ts";

/**
 * `config` with the first of `addresses` for the placeholder, and the others beside it; without an address of the node, the
 * dataplane must know its own. The same object if it has no placeholder, so that its encoding can be shared.
 */
export const withNodeAddresses = (
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
