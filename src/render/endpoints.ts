/** The format of a permitted peer in a cluster: `IP` or `IP/LEN`, followed by `:<MIN-MAX>` if ports are limited. */
import type { BackendReference } from "../resources/gateway-api.ts";
import { isIP, isPrefix } from "../net/ip.ts";
import { isPort } from "../net/host-port.ts";
import type { PortRange } from "../net/port-range.ts";

const MAX_PORT = 65535;

const validPort = (port: number | undefined): number | undefined => (isPort(port) ? port : undefined);

/**
 * The port range after each address of a backend; empty if every port is allowed. A port without an end port is that one
 * port; an end port without a port starts at 1.
 */
export const portSuffix = (backend: Pick<BackendReference, "port" | "endPort">): string => {
  const { first, last } = portsOf(backend);
  return first === 1 && last === MAX_PORT ? "" : `:<${first}-${last}>`;
};

/** Ports of a backend that clients may reach; all, if it names none. */
export const portsOf = (backend: Pick<BackendReference, "port" | "endPort">): PortRange => {
  const port = validPort(backend.port);
  const endPort = validPort(backend.endPort);
  if (port === undefined && endPort === undefined) return { first: 1, last: MAX_PORT };
  const first = port ?? 1;
  return { first, last: endPort !== undefined && endPort >= first ? endPort : first };
};

/** Why no port of a backend can match; undefined if one can. */
export const portRangeProblem = ({ port, endPort }: Pick<BackendReference, "port" | "endPort">): string | undefined => {
  const outside = [port, endPort].find((one) => one !== undefined && validPort(one) === undefined);
  if (outside !== undefined) return `port ${outside} is not a port (1 to ${MAX_PORT})`;
  if (endPort === undefined) return undefined;
  if (port === undefined) return `endPort ${endPort} needs a port that the range begins at`;
  return endPort < port ? `endPort ${endPort} is below port ${port}` : undefined;
};

/** Whether a dataplane can parse a STATIC endpoint. IPv6 needs no brackets: the suffix is recognised by its `<`. */
export const isEndpoint = (text: string): boolean => {
  const range = /^(.*):<([0-9]+)-([0-9]+)>$/.exec(text);
  const address = range?.[1] ?? text;
  return isIP(address) || isPrefix(address);
};
