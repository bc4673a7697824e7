/**
 * The annotations with which a Gateway names the web servers behind its listeners: JSON objects by listener, of
 * `SERVICE:PORT` in the Gateway's namespace, and of versions of PROXY protocol.
 */
import { isPort } from "../net/host-port.ts";
import { readByListener, type ByListener } from "./by-listener.ts";
import { annotations as keys } from "./names.ts";

export interface NamedBackend {
  readonly service: string;
  readonly port: number;
}

/** What a connection to the backend begins with: a PROXY header of this version, which names the client. */
export type ProxyVersion = "v1" | "v2" | "none";
export const proxyVersions: readonly ProxyVersion[] = ["v2", "v1", "none"];

export interface HttpBackends {
  readonly backends: ByListener<NamedBackend>;
  readonly versions: ByListener<ProxyVersion>;
}

/** The name of a Service is a label of DNS (RFC 1035). */
const BACKEND = /^(?<service>[a-z]([-a-z0-9]{0,61}[a-z0-9])?):(?<port>\d{1,5})$/;

const backendIn = (value: unknown): NamedBackend | undefined => {
  const { service, port } = (typeof value === "string" ? BACKEND.exec(value)?.groups : undefined) ?? {};
  return service !== undefined && isPort(Number(port)) ? { service, port: Number(port) } : undefined;
};

export const httpBackendsOf = (annotations: Readonly<Record<string, string>> | undefined): HttpBackends => ({
  backends: readByListener(annotations?.[keys.httpBackends], backendIn),
  versions: readByListener(annotations?.[keys.httpBackendProxyProtocol], (value) =>
    proxyVersions.find((version) => version === value),
  ),
});
