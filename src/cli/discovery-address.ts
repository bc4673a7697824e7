/** The address at which an operator's pods reach its discovery service. */
import { TurnpikeError } from "../errors.ts";
import { formatHostPort, parseHostPort, type HostPort } from "../net/host-port.ts";
import type { RenderOptions } from "../resources/view.ts";

/** The address of this pod or of the Service that selects it: `STUNNER_GATEWAY_OPERATOR_ADDRESS`. @throws TurnpikeError `usage`. */
export const ownAddress = (text: string | undefined): HostPort | undefined => {
  if (!text) return undefined;
  const address = parseHostPort(text);
  if (address !== undefined) return address;
  throw new TurnpikeError(
    "usage",
    `STUNNER_GATEWAY_OPERATOR_ADDRESS ${JSON.stringify(text)}: expected HOST, HOST:PORT, IPv6 or [IPv6]:PORT`,
  );
};

const ANY: ReadonlySet<string> = new Set(["", "0.0.0.0", "::"]);

/** The bound port, unless `own` has one; without `own` the bound address, unless it is a wildcard. */
export const discoveryAddress = (own: HostPort | undefined, bound: Required<HostPort>): string => {
  if (own !== undefined) return formatHostPort({ port: bound.port, ...own });
  return ANY.has(bound.host) ? `:${bound.port}` : formatHostPort(bound);
};

/**
 * Why pods cannot fetch their configs from `address`, the result of `discoveryAddress`: without a host they would use
 * `http://:PORT`, which no client can resolve. User-managed dataplanes, and a relay in this process, need no address.
 */
export const addressProblem = (
  address: string,
  { mode, embedded }: Pick<RenderOptions, "mode" | "embedded">,
): string | undefined =>
  mode === "managed" && embedded === undefined && address.startsWith(":")
    ? `managed dataplanes cannot fetch their configs from http://${address}: STUNNER_GATEWAY_OPERATOR_ADDRESS is not set, and config discovery is bound to every address`
    : undefined;
