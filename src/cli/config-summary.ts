/** A dataplane config in a few lines, as in STUNner's `stunnerctl config`. */
import type { DataplaneConfig, ListenerConfig } from "../resources/dataplane-config.ts";
import { ADDRESS_PLACEHOLDER, DEFAULT_LOG_LEVEL, NODE_ADDRESS_PLACEHOLDER } from "../resources/names.ts";

const NONE = "<none>";

const words: Readonly<Record<string, string>> = {
  [ADDRESS_PLACEHOLDER]: "<private-pod-ip-addr>",
  [NODE_ADDRESS_PLACEHOLDER]: "<node-ip-addr>",
};

const show = (address: string | undefined): string => (address ? (words[address] ?? address) : NONE);

const addressAndPort = (address: string | undefined, port: number | undefined): string =>
  `${show(address)}:${port || NONE}`;

const authOf = ({ type, credentials }: DataplaneConfig["auth"]): string => {
  const { username = "", password = "", secret = "" } = credentials;
  if (type === "static") return `static, username/password: ${username}/${password}`;
  return type === "ephemeral" ? `ephemeral, shared-secret: ${secret}` : "none";
};

const endpointsOf = ({ clusters = [] }: DataplaneConfig, { routes = [] }: ListenerConfig): readonly string[] =>
  clusters.filter(({ name }) => routes.includes(name)).flatMap(({ endpoints = [] }) => endpoints);

export const configSummary = (config: DataplaneConfig): string =>
  [
    `Gateway: ${config.admin.name} (loglevel: "${config.admin.loglevel ?? DEFAULT_LOG_LEVEL}")`,
    `Authentication type: ${authOf(config.auth)}`,
    "Listeners:",
    ...(config.listeners ?? []).flatMap((listener) => [
      `  - Name: ${listener.name}`,
      `    Protocol: ${listener.protocol}`,
      `    Relay address:port: ${addressAndPort(listener.address, listener.port)}`,
      `    Public address:port: ${addressAndPort(listener.public_address, listener.public_port)}`,
      `    Routes: [${(listener.routes ?? []).join(", ")}]`,
      `    Endpoints: [${endpointsOf(config, listener).join(", ")}]`,
    ]),
    "",
  ].join("\n");

export const deletedSummary = (gateway: string): string => `Gateway: ${gateway} <deleted>\n`;
