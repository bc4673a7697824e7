/** The address of a discovery server, and the form of requests to it. */
import { formatHostPort, parseHostPort } from "../net/host-port.ts";
import { DISCOVERY_PORT } from "../resources/names.ts";
import { pathOf, partsOf, type Scope } from "./protocol.ts";

export interface DiscoveryTarget {
  /** `http`, `https`, `ws` or `wss` URL, of which only the host and port count, or `HOST` or `HOST:PORT`. */
  readonly origin: string;
  /** `NAMESPACE/NAME`; without it, all configs of `namespace`, or all configs. */
  readonly id?: string | undefined;
  readonly namespace?: string | undefined;
  /** The node on which this dataplane runs, for listeners with its address. */
  readonly node?: string | undefined;
  readonly token?: string | undefined;
  /** PEM of the authority that signed the server's certificate, if it is not a public one. */
  readonly ca?: string | undefined;
}

export interface Address {
  readonly secure: boolean;
  /** As in a URL: `HOST` or `HOST:PORT`. */
  readonly host: string;
  /** Including the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** `text` without `USER:PASSWORD@`, for messages. */
export const withoutUserinfo = (text: string): string => text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/@]*@/i, "$1");

const scopeOf = ({ id, namespace }: DiscoveryTarget): Scope => {
  if (id !== undefined) {
    if (partsOf(id) === undefined) throw new RangeError(`${JSON.stringify(id)} is not NAMESPACE/NAME`);
    return { of: "config", id };
  }
  return namespace === undefined ? { of: "all" } : { of: "namespace", namespace };
};

/** A bare host gets the default port of the discovery service; a URL that of its scheme. */
const urlOf = (origin: string): URL | undefined => {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(origin)) return URL.canParse(origin) ? new URL(origin) : undefined;
  const address = parseHostPort(origin);
  return address && new URL(`http://${formatHostPort({ port: DISCOVERY_PORT, ...address })}`);
};

/** @throws RangeError if the origin or the id is malformed. */
export const addressOf = (target: DiscoveryTarget, query: Readonly<Record<string, string>> = {}): Address => {
  const url = urlOf(target.origin);
  if (
    url === undefined ||
    !["http:", "https:", "ws:", "wss:"].includes(url.protocol) ||
    url.host === "" ||
    url.port === "0"
  )
    throw new RangeError(
      `${JSON.stringify(withoutUserinfo(target.origin))} is neither HOST:PORT nor an http, https, ws or wss URL`,
    );
  const secure = url.protocol === "https:" || url.protocol === "wss:";
  const scope = scopeOf(target);
  const parameters = new URLSearchParams(
    scope.of === "config" && target.node ? { node: target.node, ...query } : { ...query },
  ).toString();
  return {
    secure,
    host: url.host,
    path: parameters === "" ? pathOf(scope) : `${pathOf(scope)}?${parameters}`,
    headers: {
      origin: `${secure ? "https" : "http"}://${url.host}`,
      ...(target.token === undefined ? {} : { authorization: `Bearer ${target.token}` }),
    },
  };
};
