/**
 * What a client needs to use a Gateway: user, password and the URIs of its listeners, in the format of STUNner's
 * authentication service.
 */
import type { DataplaneConfig, ListenerConfig } from "../resources/dataplane-config.ts";
import { ephemeralCredentials, type Credentials } from "../turn-client/credentials.ts";
import { turnUrisOf } from "./public-address.ts";

export const DEFAULT_TTL_SECONDS = 86_400;

export interface AuthQuery {
  /** User-id of time-limited credentials. */
  readonly username?: string | undefined;
  readonly ttlSeconds: number;
  readonly namespace?: string | undefined;
  /** Used only with a namespace. */
  readonly gateway?: string | undefined;
  /** Used only with both. */
  readonly listener?: string | undefined;
  /** Instead of the listeners' own. */
  readonly publicAddress?: string | undefined;
}

/** In the order of STUNner's fields. */
export interface TurnAuth {
  readonly password: string;
  readonly ttl: number;
  readonly uris: readonly string[];
  readonly username: string;
}

export interface IceConfig {
  readonly iceServers: readonly {
    readonly credential: string;
    readonly urls: readonly string[];
    readonly username: string;
  }[];
  readonly iceTransportPolicy: string;
}

const isAsked = ({ name }: ListenerConfig, { namespace, gateway, listener }: AuthQuery): boolean => {
  const parts = name.split("/");
  if (parts.length !== 3) return false;
  const asked = [namespace, gateway, listener];
  // The first omitted part ends the comparison.
  const given = asked.findIndex((one) => one === undefined || one === "");
  return asked.slice(0, given < 0 ? asked.length : given).every((one, place) => one === parts[place]);
};

/** Undefined if the Gateway lacks what its authentication type needs. */
const credentialsOf = ({ auth }: DataplaneConfig, query: AuthQuery, now: number): Credentials | undefined => {
  const { username, password, secret } = auth.credentials;
  switch (auth.type) {
    case "static":
      return username === undefined || password === undefined ? undefined : { username, password };
    case "ephemeral":
      return secret === undefined
        ? undefined
        : ephemeralCredentials(secret, query.username ?? "", query.ttlSeconds, now);
    case "none":
      return { username: "", password: "" };
    default:
      return auth.type satisfies never;
  }
};

/** Undefined if no listener of the Gateway is selected. `now`: milliseconds since the epoch. */
export const turnAuthOf = (config: DataplaneConfig, query: AuthQuery, now: number): TurnAuth | undefined => {
  const listeners = (config.listeners ?? []).filter((listener) => isAsked(listener, query));
  const credentials = listeners.length === 0 ? undefined : credentialsOf(config, query, now);
  if (credentials === undefined) return undefined;
  return {
    password: credentials.password,
    ttl: query.ttlSeconds,
    uris: listeners.flatMap((listener) => turnUrisOf(listener, query.publicAddress)),
    username: credentials.username,
  };
};

export const iceConfigOf = (auths: readonly TurnAuth[], iceTransportPolicy = "all"): IceConfig => ({
  iceServers: auths.map(({ password, uris, username }) => ({ credential: password, urls: uris, username })),
  iceTransportPolicy,
});
