/** Public addresses that are valid in a Gateway's status: an API server rejects a status with any other. */
import type { Gateway } from "../resources/gateway-api.ts";
import type { GatewayAddress } from "./conditions.ts";
import { isIP } from "../net/ip.ts";

const MAX_NAME = 253;
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** RFC 1123. A last label of digits only is a malformed IPv4 address, which no resolver looks up. */
const isHostName = (text: string): boolean => {
  const labels = text.split(".");
  return text.length <= MAX_NAME && labels.every((label) => LABEL.test(label)) && !/^[0-9]+$/.test(labels.at(-1) ?? "");
};

/**
 * An address with the type that its value has, regardless of the reported type. Brackets of IPv6, uppercase and the
 * trailing dot of host names are removed. @returns undefined if the value is neither an IP address nor a host name.
 */
export const gatewayAddress = (text: string | undefined): GatewayAddress | undefined => {
  const trimmed = (text ?? "").trim();
  const ip = /^\[(.*)\]$/.exec(trimmed)?.[1] ?? trimmed;
  if (isIP(ip)) return { type: "IPAddress", value: ip };
  const name = trimmed.toLowerCase().replace(/\.$/, "");
  return isHostName(name) ? { type: "Hostname", value: name } : undefined;
};

type Requested = NonNullable<Gateway["spec"]["addresses"]>[number];

const usable = ({ type = "IPAddress", value }: Requested): GatewayAddress | undefined =>
  type === "IPAddress" || type === "Hostname" ? gatewayAddress(value) : undefined;

/** The usable addresses of the Gateway's spec. */
export const requestedAddresses = ({ spec }: Gateway): readonly GatewayAddress[] =>
  (spec.addresses ?? []).flatMap((address) => usable(address) ?? []);

export const requestedAddress = (gateway: Gateway): GatewayAddress | undefined => requestedAddresses(gateway)[0];

/**
 * Addresses of the Gateway's spec that are ignored, each with the reason. An address without a value requests any address.
 */
export const ignoredAddresses = ({ spec }: Gateway): readonly string[] =>
  (spec.addresses ?? []).flatMap((address, index): readonly string[] => {
    const { type = "IPAddress", value } = address;
    if (!value || usable(address) !== undefined) return [];
    const why =
      type === "IPAddress" || type === "Hostname"
        ? "is neither an IP address nor a host name"
        : `is of type ${type}, which is not supported`;
    return [`spec.addresses[${index}] ${JSON.stringify(value)} ${why}`];
  });
