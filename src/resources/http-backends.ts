/**
 * The annotations with which a Gateway names the web servers behind its listeners: JSON objects by listener, of
 * `SERVICE:PORT` in the Gateway's namespace, and of versions of PROXY protocol.
 */
import { isPort } from "../net/host-port.ts";
import { annotations as keys } from "./names.ts";

export interface NamedBackend {
  readonly service: string;
  readonly port: number;
}

/** What a connection to the backend begins with: a PROXY header of this version, which names the client. */
export type ProxyVersion = "v1" | "v2" | "none";
export const proxyVersions: readonly ProxyVersion[] = ["v2", "v1", "none"];

export interface ByListener<T> {
  /** The valid entries. */
  readonly entries: ReadonlyMap<string, T>;
  /** The invalid entries, as JSON. */
  readonly invalid: ReadonlyMap<string, string>;
  /** The whole value is not a JSON object, and counts as absent. */
  readonly isMalformed: boolean;
}

export interface HttpBackends {
  readonly backends: ByListener<NamedBackend>;
  readonly versions: ByListener<ProxyVersion>;
}

const objectIn = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text.startsWith("{") ? text : `{${text}}`);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
};

/** Each entry is judged separately: a typo in one must not affect other listeners. */
const byListener = <T>(text: string | undefined, parse: (value: unknown) => T | undefined): ByListener<T> => {
  const trimmed = text?.trim() ?? "";
  const object = trimmed === "" ? {} : objectIn(trimmed);
  const entries = new Map<string, T>();
  const invalid = new Map<string, string>();
  for (const [listener, value] of Object.entries(object ?? {})) {
    const parsed = parse(value);
    if (parsed === undefined) invalid.set(listener, JSON.stringify(value));
    else entries.set(listener, parsed);
  }
  return { entries, invalid, isMalformed: object === undefined };
};

/** The name of a Service is a label of DNS (RFC 1035). */
const BACKEND = /^(?<service>[a-z]([-a-z0-9]{0,61}[a-z0-9])?):(?<port>\d{1,5})$/;

const backendIn = (value: unknown): NamedBackend | undefined => {
  const { service, port } = (typeof value === "string" ? BACKEND.exec(value)?.groups : undefined) ?? {};
  return service !== undefined && isPort(Number(port)) ? { service, port: Number(port) } : undefined;
};

export const httpBackendsOf = (annotations: Readonly<Record<string, string>> | undefined): HttpBackends => ({
  backends: byListener(annotations?.[keys.httpBackends], backendIn),
  versions: byListener(annotations?.[keys.httpBackendProxyProtocol], (value) =>
    proxyVersions.find((version) => version === value),
  ),
});
