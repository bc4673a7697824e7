/** The address of a node in the listeners of a config, for the one dataplane that reports which node it runs on. */
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { ADDRESS_PLACEHOLDER, NODE_ADDRESS_PLACEHOLDER } from "../resources/names.ts";

/**
 * `config` with `address` for the placeholder; without an address of the node, the dataplane must know its own. The same
 * object if it has no placeholder, so that its encoding can be shared.
 */
export const withNodeAddress = (config: DataplaneConfig, address: string | undefined): DataplaneConfig =>
  config.listeners?.some((listener) => listener.address === NODE_ADDRESS_PLACEHOLDER) === true
    ? {
        ...config,
        listeners: config.listeners.map((listener) =>
          listener.address === NODE_ADDRESS_PLACEHOLDER
            ? { ...listener, address: address ?? ADDRESS_PLACEHOLDER }
            : listener,
        ),
      }
    : config;
