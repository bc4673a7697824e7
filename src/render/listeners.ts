/** Judges every listener of a Gateway once; config, Service and status all use this result. */
import type { Gateway, GatewayListener } from "../resources/gateway-api.ts";
import type { ListenerConfig, ListenerProtocol } from "../resources/dataplane-config.ts";
import type { ObjectsView, RenderOptions, Route, ServedCertificate } from "../resources/view.ts";
import type { Name } from "../resources/keys.ts";
import { annotations as keys } from "../resources/names.ts";
import type { Attachments } from "./attachment.ts";
import { findCertificate, type CertificateProblem } from "./certificate.ts";
import { httpBackendOf, type HttpBackend } from "./http-backend.ts";
import { portNameProblem } from "./object-names.ts";
import type { PortAnnotation } from "./port-map.ts";
import { needsCertificate, listenerProtocol, transportOf } from "./protocol.ts";
import { publicAddressOf, type PublicAddress } from "./public-address.ts";
import { supportedKinds, unsupportedKinds } from "./route-kinds.ts";
import { isFirstEdition } from "./rules.ts";
import { listenerEntity } from "../resources/entities.ts";

interface Judged {
  readonly listener: GatewayListener;
  readonly routes: readonly Route[];
}

/** An unresolved reference of a listener, as in its condition ResolvedRefs. */
export interface ListenerFlaw {
  readonly reason: CertificateProblem | "InvalidRouteKinds";
  readonly why: string;
}

/** `boundPort` is what the dataplane listens on, `listener.port` what clients see. */
export interface ServingListener extends Judged {
  readonly outcome: "accepted";
  readonly protocol: ListenerProtocol;
  readonly boundPort: number;
  readonly address: PublicAddress | undefined;
  readonly certificate: ServedCertificate | undefined;
  readonly httpBackend?: HttpBackend | undefined;
  /** A certificate is no longer in any Secret that the listener refers to. */
  readonly isCertificateKept?: boolean;
  /** It serves, but not with everything that it refers to. */
  readonly flaw?: ListenerFlaw | undefined;
}

/** It has its port and its public address, but no certificate to serve with, or no kind of route that it accepts. */
export interface UnresolvedListener extends Judged {
  readonly outcome: "unresolved";
  readonly protocol: ListenerProtocol;
  readonly boundPort: number;
  readonly address: PublicAddress | undefined;
  readonly reason: ListenerFlaw["reason"];
  readonly why: string;
}

export interface ConflictedListener extends Judged {
  readonly outcome: "conflicted";
  readonly protocol: ListenerProtocol;
  readonly why: string;
}

export interface UnsupportedListener extends Judged {
  readonly outcome: "unsupported";
  readonly why: string;
}

/**
 * The dataplane cannot bind it, because the annotation `targetport` gives no port, or the port of another listener; or no
 * port of the Service can have its name.
 */
export interface UnboundListener extends Judged {
  readonly outcome: "target-port" | "target-port-conflict" | "name";
  readonly protocol: ListenerProtocol;
  readonly why: string;
}

export type JudgedListener =
  | ServingListener
  | UnresolvedListener
  | ConflictedListener
  | UnsupportedListener
  | UnboundListener;

export const flawOf = (judged: JudgedListener): ListenerFlaw | undefined => {
  if (judged.outcome === "accepted") return judged.flaw;
  return judged.outcome === "unresolved" ? { reason: judged.reason, why: judged.why } : undefined;
};

/** Unknown route kinds are harmless while another kind is left. */
const kindsFlaw = (options: RenderOptions, listener: GatewayListener): ListenerFlaw | undefined => {
  const kinds = unsupportedKinds(options, listener);
  return kinds.length === 0
    ? undefined
    : { reason: "InvalidRouteKinds", why: `allowedRoutes.kinds: ${kinds.join(", ")} not supported` };
};

export const isUnbound = (judged: JudgedListener): judged is UnboundListener =>
  judged.outcome === "target-port" || judged.outcome === "target-port-conflict" || judged.outcome === "name";

export const addressOf = (judged: JudgedListener): PublicAddress | undefined =>
  judged.outcome === "accepted" || judged.outcome === "unresolved" ? judged.address : undefined;

/** Listeners become ports of a Service, if there is a cluster. */
const nameProblem = (options: RenderOptions, { name }: GatewayListener): string | undefined =>
  options.mode === "standalone" || isFirstEdition(options) ? undefined : portNameProblem(name);

/**
 * In spec order: the first listener on a port of a transport gets it, both towards clients and in the dataplane.
 * @param targets ports from the annotation `targetport`.
 */
export const judgeListeners = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  gateway: Gateway,
  attachments: Attachments,
  targets: PortAnnotation,
): readonly JudgedListener[] => {
  const holders = new Map<string, string>();
  const bound = new Map<string, string>();
  return gateway.spec.listeners.map((listener): JudgedListener => {
    const judged: Judged = { listener, routes: attachments.get(listener.name) ?? [] };
    const protocol = listenerProtocol(listener.protocol);
    if (protocol === undefined)
      return { ...judged, outcome: "unsupported", why: `protocol ${listener.protocol} is not supported` };

    const unnamed = nameProblem(options, listener);
    if (unnamed !== undefined) return { ...judged, outcome: "name", protocol, why: unnamed };

    const transport = transportOf(protocol);
    const slot = `${transport} port ${listener.port}`;
    const holder = holders.get(slot);
    if (holder !== undefined)
      return { ...judged, outcome: "conflicted", protocol, why: `${slot} is taken by listener ${holder}` };
    holders.set(slot, listener.name);

    const invalid = targets.invalid.get(listener.name);
    if (invalid !== undefined)
      return {
        ...judged,
        outcome: "target-port",
        protocol,
        why: `target port ${invalid} is not a port (1 to 65535): see the annotation ${keys.targetPort}`,
      };
    const boundPort = targets.ports.get(listener.name) ?? listener.port;
    const boundSlot = `${transport} port ${boundPort}`;
    const binder = bound.get(boundSlot);
    if (binder !== undefined && !isFirstEdition(options))
      return {
        ...judged,
        outcome: "target-port-conflict",
        protocol,
        why: `${boundSlot} is bound by listener ${binder}`,
      };
    bound.set(boundSlot, listener.name);

    const exposure = { transport, port: listener.port, boundPort };
    const address = publicAddressOf(view, options, name, gateway, exposure);
    const flaw = kindsFlaw(options, listener);
    const serving = { ...judged, protocol, boundPort, address };
    const httpBackend = httpBackendOf(view, options, gateway, listener);
    if (flaw !== undefined && supportedKinds(options, listener).length === 0)
      return { ...serving, outcome: "unresolved", ...flaw };
    if (!needsCertificate(protocol))
      return { ...serving, outcome: "accepted", certificate: undefined, httpBackend, flaw };
    const found = findCertificate(view, options, gateway, listener);
    return found.found
      ? {
          ...serving,
          outcome: "accepted",
          certificate: found.certificate,
          httpBackend,
          isCertificateKept: found.isKept,
          flaw: found.flaw ?? flaw,
        }
      : { ...serving, outcome: "unresolved", reason: found.reason, why: found.why };
  });
};

/** @param address a placeholder, or an IP literal. */
export const renderListener = (gateway: Name, serving: ServingListener, address: string): ListenerConfig => ({
  name: listenerEntity(gateway, serving.listener.name),
  protocol: serving.protocol,
  ...(serving.address === undefined
    ? {}
    : { public_address: serving.address.value, public_port: serving.address.port }),
  ...(serving.address?.others === undefined
    ? {}
    : { more_public_addresses: serving.address.others.map(({ value }) => value) }),
  address,
  port: serving.boundPort,
  ...(serving.certificate === undefined ? {} : { cert: serving.certificate.cert, key: serving.certificate.key }),
  ...(serving.certificate?.further === undefined
    ? {}
    : { certificates: serving.certificate.further.map(({ cert, key }) => ({ cert, key })) }),
  ...(serving.httpBackend === undefined
    ? {}
    : { http_backend: serving.httpBackend.at, http_backend_proxy_protocol: serving.httpBackend.proxyProtocol }),
  ...(serving.routes.length > 0 ? { routes: serving.routes.map((route) => route.name) } : {}),
});
