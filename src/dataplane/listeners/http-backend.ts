/** The web server behind a listener: where connections that are not TURN are passed on to. */
import { parseHostPort } from "../../net/host-port.ts";
import type { ListenerConfig } from "../../resources/dataplane-config.ts";
import type { ProxyVersion } from "../../resources/http-backends.ts";

export interface HttpBackend {
  /** IP literal or name. */
  readonly host: string;
  readonly port: number;
  readonly proxyProtocol: ProxyVersion;
}

/** Undefined if the listener has none. */
export const httpBackendOf = (
  listener: Pick<ListenerConfig, "http_backend" | "http_backend_proxy_protocol">,
): HttpBackend | undefined => {
  const { host, port } = parseHostPort(listener.http_backend ?? "") ?? {};
  if (host === undefined || port === undefined) return undefined;
  return { host, port, proxyProtocol: listener.http_backend_proxy_protocol ?? "v2" };
};
