/** Where clients reach a listener, by its config. */
import type { ListenerConfig } from "../resources/dataplane-config.ts";
import { ADDRESS_PLACEHOLDER, NODE_ADDRESS_PLACEHOLDER } from "../resources/names.ts";

/** Of a listener that does not know its own address. */
export const UNKNOWN = "0.0.0.0";

/** `override` takes precedence over the config. */
export const publicAddressOf = ({ public_address: known, address }: ListenerConfig, override?: string): string => {
  const found = [override, known, address].find((one) => one !== undefined && one !== "") ?? UNKNOWN;
  return found === NODE_ADDRESS_PLACEHOLDER || found === ADDRESS_PLACEHOLDER ? UNKNOWN : found;
};

export const publicPortOf = ({ public_port: known, port }: ListenerConfig): number => known || port;

const forms = {
  "TURN-UDP": ["turn", "udp"],
  "TURN-TCP": ["turn", "tcp"],
  "TURN-TLS": ["turns", "tcp"],
  "TURN-DTLS": ["turns", "udp"],
} as const;

/** In the form that browsers accept, RFC 7065: one for each public address, or one for `override`. */
export const turnUrisOf = (listener: ListenerConfig, override?: string): readonly string[] => {
  const [scheme, transport] = forms[listener.protocol];
  const others = override ? [] : (listener.more_public_addresses ?? []);
  return [publicAddressOf(listener, override), ...others].map((address) => {
    const host = address.includes(":") ? `[${address}]` : address;
    return `${scheme}:${host}:${publicPortOf(listener)}?transport=${transport}`;
  });
};
