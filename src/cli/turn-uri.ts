/** TURN URIs as arguments. */
import { InvalidArgumentError } from "commander";
import type { TransportName } from "../turn-client/turn-client.ts";
import { isPort } from "../net/host-port.ts";

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly transport: TransportName;
}

export interface TargetWithUser extends Target {
  readonly username?: string;
  readonly password?: string;
}

const GRAMMAR = "expected turn:[USER:PASSWORD@]HOST[:PORT][?transport=udp|tcp|tls|dtls] or turns:…";
const URI = /^(turns?):(?:\/\/)?(?:(.*)@)?(\[[^\]]+\]|[^:?/@[\]]+)(?::(\d{1,5}))?\/?(?:\?transport=([a-z]+))?$/i;

/** `turns:` over TCP is TLS, over UDP it is DTLS. */
const secured: Readonly<Record<string, TransportName>> = { udp: "dtls", tcp: "tls", tls: "tls", dtls: "dtls" };
const plain: Readonly<Record<string, TransportName>> = { udp: "udp", tcp: "tcp", tls: "tls", dtls: "dtls" };

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** RFC 7065, and STUNner's variant: with two slashes, user and password, and `tls` or `dtls` as a transport. */
export const parseServerUri = (text: string): TargetWithUser => {
  const [, scheme = "", user, host = "", portText, asked] = URI.exec(text) ?? [];
  const isSecured = scheme.toLowerCase() === "turns";
  const transport = (isSecured ? secured : plain)[(asked ?? (isSecured ? "tcp" : "udp")).toLowerCase()];
  if (host === "" || transport === undefined) throw new InvalidArgumentError(GRAMMAR);
  const port = portText === undefined ? (transport === "tls" || transport === "dtls" ? 443 : 3478) : Number(portText);
  if (!isPort(port)) throw new InvalidArgumentError(`${GRAMMAR}; there is no port ${Number(portText)}`);
  const [, username, password] = /^([^:]*)(?::(.*))?$/s.exec(user ?? "") ?? [];
  return {
    host: host.replace(/^\[|\]$/g, ""),
    port,
    transport,
    ...(user !== undefined && username !== undefined && { username: decoded(username) }),
    ...(user !== undefined && password !== undefined && { password: decoded(password) }),
  };
};
