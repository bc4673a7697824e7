/** The web servers behind the listeners of a Gateway: Services of its namespace, at their cluster addresses. */
import { formatHostPort } from "../net/host-port.ts";
import type { Gateway, GatewayListener } from "../resources/gateway-api.ts";
import type { ByListener } from "../resources/by-listener.ts";
import { httpBackendsOf, proxyVersions, type NamedBackend, type ProxyVersion } from "../resources/http-backends.ts";
import { nameOf } from "../resources/keys.ts";
import { annotations as keys } from "../resources/names.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";
import type { AnnotationProblem } from "./annotation-problems.ts";
import { listenerProtocol, transportOf } from "./protocol.ts";
import { servesOneCertificate } from "./rules.ts";

export interface HttpBackend {
  /** `IP:PORT`. */
  readonly at: string;
  readonly proxyProtocol: ProxyVersion;
}

/** The cluster address of a backend, or why it has none; neither if an API server has yet to assign it. */
const addressOf = (
  view: ObjectsView,
  { mode }: RenderOptions,
  gateway: Gateway,
  { service, port }: NamedBackend,
): { readonly at?: string; readonly problem?: string } => {
  const name = nameOf(gateway.metadata.namespace, service);
  const object = view.get("Service", name);
  if (object === undefined) return { problem: `Service ${name} not found` };
  const { type, ports = [], clusterIP } = object.spec ?? {};
  if (type === "ExternalName") return { problem: `Service ${name} is of type ExternalName, which has no cluster IP` };
  if (!ports.some((one) => one.port === port && (one.protocol ?? "TCP") === "TCP"))
    return { problem: `Service ${name} has no TCP port ${port}` };
  if (clusterIP === "None" || (!clusterIP && mode === "standalone"))
    return { problem: `Service ${name} has no cluster IP` };
  return clusterIP ? { at: formatHostPort({ host: clusterIP, port }) } : {};
};

const mayHaveBackend = ({ protocol }: GatewayListener): boolean => {
  const known = listenerProtocol(protocol);
  return known !== undefined && transportOf(known) === "TCP";
};

/** Undefined if the listener has none, or none that can be used: see {@link httpBackendProblems}. */
export const httpBackendOf = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
  listener: GatewayListener,
): HttpBackend | undefined => {
  // Logs of earlier rules have no such listeners.
  if (servesOneCertificate(options)) return undefined;
  const { backends, versions } = httpBackendsOf(gateway.metadata.annotations);
  const named = backends.entries.get(listener.name);
  // A client must not be announced in a way that its backend does not expect.
  if (named === undefined || !mayHaveBackend(listener) || versions.invalid.has(listener.name)) return undefined;
  const { at } = addressOf(view, options, gateway, named);
  return at === undefined ? undefined : { at, proxyProtocol: versions.entries.get(listener.name) ?? "v2" };
};

const malformed = <T>(
  key: string,
  { invalid, isMalformed, entries }: ByListener<T>,
  listeners: readonly GatewayListener[],
  form: { readonly map: string; readonly entry: string },
): readonly AnnotationProblem[] => {
  if (isMalformed) return [{ key, kind: "value", says: `is not a JSON object, ${form.map}` }];
  const names = new Set(listeners.map(({ name }) => name));
  return [
    ...[...invalid].map(([listener, value]): AnnotationProblem => ({
      key,
      kind: "value",
      ...(names.has(listener) ? { listener } : {}),
      says: `${value} of ${listener} is not ${form.entry}`,
    })),
    ...[...entries.keys()]
      .filter((name) => !names.has(name))
      .map((name): AnnotationProblem => ({ key, kind: "listener", says: `names listener ${name}` })),
  ];
};

/** Entries of the annotations that cannot take effect: their listeners serve TURN to all clients. */
export const httpBackendProblems = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
): readonly AnnotationProblem[] => {
  const { backends, versions } = httpBackendsOf(gateway.metadata.annotations);
  const { listeners } = gateway.spec;
  const key = keys.httpBackends;
  return [
    ...malformed(key, backends, listeners, { map: '{"LISTENER": "SERVICE:PORT"}', entry: "SERVICE:PORT" }),
    ...malformed(keys.httpBackendProxyProtocol, versions, listeners, {
      map: '{"LISTENER": "VERSION"}',
      entry: `one of ${proxyVersions.join(", ")}`,
    }),
    ...listeners.flatMap((listener): readonly AnnotationProblem[] => {
      const { name, protocol } = listener;
      const named = backends.entries.get(name);
      if (named === undefined) return [];
      if (!mayHaveBackend(listener))
        return [{ key, kind: "value", listener: name, says: `of ${name}: ${protocol} cannot be shared with HTTP` }];
      const { problem } = addressOf(view, options, gateway, named);
      return problem === undefined ? [] : [{ key, kind: "service", listener: name, says: `of ${name}: ${problem}` }];
    }),
  ];
};
