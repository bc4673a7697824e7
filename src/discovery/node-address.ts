/** The address of a node in the listeners of a config, for the one dataplane that says on which node it runs. */
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { ADDRESS_PLACEHOLDER } from "../resources/names.ts";

/** A listener's `address` that stands for the external address of the node its dataplane runs on. */
export const NODE_ADDRESS_PLACEHOLDER = "__node_address_placeholder";

/**
 * `config` with `address` for the placeholder; a node without an address leaves it to the dataplane to know its own.
 * The same object when it has no placeholder, so that its encoding can be shared.
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
