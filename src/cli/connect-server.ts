/** The TURN server of `turnpike connect`: a URI, or a listener that the config discovery server knows. */
import { lookup } from "node:dns/promises";
import { InvalidArgumentError } from "commander";
import { publicAddressOf, publicPortOf, UNKNOWN } from "../credentials/public-address.ts";
import { fetchConfig } from "../discovery/fetch.ts";
import { messageOf, TurnpikeError } from "../errors.ts";
import type { DataplaneConfig, ListenerConfig, ListenerProtocol } from "../resources/dataplane-config.ts";
import { ephemeralCredentials, type Credentials } from "../turn-client/credentials.ts";
import type { TransportName } from "../turn-client/turn-client.ts";
import { namespaceFor, reachDiscovery, type DiscoveryFlags } from "./discovery-options.ts";
import { withProgress } from "./output.ts";
import { parseServerUri, type TargetWithUser } from "./turn-uri.ts";
import { splitListener } from "../resources/entities.ts";

export type ServerArgument =
  | { readonly by: "uri"; readonly target: TargetWithUser }
  | { readonly by: "name"; readonly namespace: string; readonly gateway: string; readonly listener: string };

export interface CredentialFlags extends DiscoveryFlags {
  readonly username?: string;
  readonly password?: string;
  readonly secret?: string;
  readonly ttl: number;
}

export interface Server {
  readonly host: string;
  /** The name of `host` in certificates. */
  readonly name: string;
  readonly port: number;
  readonly transport: TransportName;
  /** Called for each allocation. */
  readonly credentials: () => Credentials;
}

export const parseServer = (text: string): ServerArgument => {
  if (!text.startsWith("k8s:")) return { by: "uri", target: parseServerUri(text) };
  const [, namespace = "", gateway = "", listener = ""] = /^k8s:\/\/([\w.-]*)\/([\w.-]+):([\w.-]+)$/.exec(text) ?? [];
  if (listener === "") throw new InvalidArgumentError("expected k8s://[NAMESPACE]/GATEWAY:LISTENER");
  return { by: "name", namespace, gateway, listener };
};

export const transportOf: Readonly<Record<ListenerProtocol, TransportName>> = {
  "TURN-UDP": "udp",
  "TURN-TCP": "tcp",
  "TURN-TLS": "tls",
  "TURN-DTLS": "dtls",
};

/** @throws TurnpikeError `usage` if there are none. */
const credentialsOf = (flags: CredentialFlags, target: Partial<Credentials>): (() => Credentials) => {
  const { secret, ttl } = flags;
  const username = flags.username ?? target.username;
  const password = flags.password ?? target.password;
  if (secret !== undefined) return () => ephemeralCredentials(secret, username ?? "", ttl);
  if (username === undefined || password === undefined)
    throw new TurnpikeError(
      "usage",
      "no credentials: give turn://USER:PASSWORD@HOST, --username and --password, or --secret",
    );
  return () => ({ username, password });
};

/** @throws TurnpikeError `gateway-unknown`. */
const credentialsIn = ({ auth, admin }: DataplaneConfig, flags: CredentialFlags): (() => Credentials) => {
  const { secret, username, password } = auth.credentials;
  if (flags.secret !== undefined || flags.password !== undefined) return credentialsOf(flags, {});
  if (auth.type === "ephemeral" && secret !== undefined)
    return () => ephemeralCredentials(secret, flags.username ?? "", flags.ttl);
  if (auth.type === "static" && username !== undefined && password !== undefined) return () => ({ username, password });
  throw new TurnpikeError("gateway-unknown", `gateway ${admin.name} authenticates nobody: it answers STUN alone`);
};

/** @throws TurnpikeError `gateway-unknown`. */
const listenerIn = ({ admin, listeners = [] }: DataplaneConfig, wanted: string): ListenerConfig => {
  const named = listeners.filter(({ name }) => splitListener(name)?.listener === wanted);
  const [listener] = named;
  if (listener === undefined || named.length > 1) {
    const names = listeners.map(({ name }) => splitListener(name)?.listener ?? name).join(", ");
    throw new TurnpikeError(
      "gateway-unknown",
      `gateway ${admin.name} has ${named.length === 0 ? "no" : "several"} listeners ${wanted}${names === "" ? "" : `; it has ${names}`}`,
    );
  }
  if (publicAddressOf(listener) === UNKNOWN)
    throw new TurnpikeError("gateway-unknown", `listener ${listener.name} has no public address yet`);
  return listener;
};

/** IPv4 first, as other TURN clients do. @throws TurnpikeError `connect-failed`. */
export const resolveHost = async (host: string): Promise<string> => {
  try {
    return (await lookup(host, { order: "ipv4first" })).address;
  } catch (error) {
    throw new TurnpikeError("connect-failed", `${host} is not known: ${messageOf(error)}`);
  }
};

/** @throws TurnpikeError; the errors of `fetchConfig` and `reachDiscovery`. */
export const serverOf = async (argument: ServerArgument, flags: CredentialFlags): Promise<Server> => {
  if (argument.by === "uri") {
    const { host, port, transport } = argument.target;
    const credentials = credentialsOf(flags, argument.target);
    return { host: await resolveHost(host), name: host, port, transport, credentials };
  }
  const namespace = argument.namespace || (await namespaceFor(flags));
  const discovery = await reachDiscovery(flags);
  let config;
  try {
    const id = `${namespace}/${argument.gateway}`;
    config = await withProgress("asking for the config", fetchConfig({ ...discovery.target, id }));
  } finally {
    discovery.close();
  }
  const listener = listenerIn(config, argument.listener);
  const name = publicAddressOf(listener);
  return {
    host: await resolveHost(name),
    name,
    port: publicPortOf(listener),
    transport: transportOf[listener.protocol],
    credentials: credentialsIn(config, flags),
  };
};
