/** Gateways and their listeners. */
import { epochMsOf } from "../resources/time.ts";
import { ignoredAddresses } from "../render/addresses.ts";
import { findCertificate } from "../render/certificate.ts";
import { listenerProtocol, needsCertificate } from "../render/protocol.ts";
import { controlledGateway, parametersOf } from "../render/classes.ts";
import type { RenderedGateway, RenderedListener } from "../render/render.ts";
import { objectNameProblem } from "../render/object-names.ts";
import { runsDataplane } from "../render/objects.ts";
import { workloadKind } from "../render/workload.ts";
import type { Gateway, GatewayClass, GatewayListener } from "../resources/gateway-api.ts";
import { nameOf, nameOfObject, type Name } from "../resources/keys.ts";
import type { MadeKind } from "../resources/kinds.ts";
import { isForeign } from "../resources/ownership.ts";
import type { Service } from "../resources/core.ts";
import { lintAnnotations } from "./annotations.ts";
import { finding, type Finding, type FindingCode } from "./finding.ts";
import type { LintWorld } from "./world.ts";
import { listenerEntity } from "../resources/entities.ts";

const codes: Readonly<Record<string, FindingCode>> = {
  conflicted: "listener-conflict",
  unsupported: "listener-protocol",
  name: "listener-name",
  "target-port": "target-port",
  "target-port-conflict": "target-port-conflict",
};

const flawCodes = {
  InvalidCertificateRef: "listener-certificate",
  RefNotPermitted: "listener-certificate",
  InvalidRouteKinds: "listener-route-kinds",
} as const satisfies Record<NonNullable<RenderedListener["flaw"]>["reason"], FindingCode>;

const EXPIRES_SOON_MS = 14 * 24 * 60 * 60_000;

/** An expired certificate is a finding of its listener. */
const lintExpiry = (
  { view, options, now }: LintWorld,
  gateway: Gateway,
  listener: GatewayListener,
  object: string,
): readonly Finding[] => {
  const protocol = listenerProtocol(listener.protocol);
  if (protocol === undefined || !needsCertificate(protocol)) return [];
  const found = findCertificate(view, options, gateway, listener);
  if (!found.found || found.flaw !== undefined) return [];
  return [found.certificate, ...(found.certificate.further ?? [])].flatMap(({ notAfter, secret }) =>
    notAfter === undefined || epochMsOf(notAfter) - now > EXPIRES_SOON_MS
      ? []
      : [finding("certificate-expires", object, `the certificate in Secret ${secret} expires at ${notAfter}`)],
  );
};

const isService = (object: { readonly kind?: string }): object is Service => object.kind === "Service";

const lintListeners = (
  world: LintWorld,
  name: Name,
  gateway: Gateway,
  rendered: RenderedGateway,
): readonly Finding[] => {
  const exposed = new Set(
    rendered.objects.filter(isService).flatMap(({ spec }) => (spec?.ports ?? []).map((one) => one.name)),
  );
  return gateway.spec.listeners.flatMap((listener): readonly Finding[] => {
    const object = `Gateway/${name}/${listener.name}`;
    const judged = rendered.listeners.find((one) => one.name === listener.name);
    const code = codes[judged?.outcome ?? ""];
    if (judged !== undefined && code !== undefined) return [finding(code, object, judged.why)];
    const flaw = judged?.flaw;
    const flaws = flaw === undefined ? [] : [finding(flawCodes[flaw.reason], object, flaw.why)];
    if (judged?.outcome === "unresolved") return flaws;
    const config = rendered.config?.listeners?.find((one) => one.name === listenerEntity(name, listener.name));
    return [
      ...flaws,
      ...lintExpiry(world, gateway, listener, object),
      ...(exposed.has(listener.name)
        ? []
        : [
            finding("listener-not-exposed", object, `${listener.protocol} port ${listener.port} is not in the Service`),
          ]),
      ...((config?.routes ?? []).length > 0
        ? []
        : [finding("listener-without-routes", object, "no route is attached")]),
    ];
  });
};

/** The objects with the Gateway's name: its Service, and its workload unless the dataplane is user-managed. */
const madeFor = ({ view, options }: LintWorld, gateway: Gateway, gatewayClass: GatewayClass): readonly MadeKind[] => {
  const resolved = parametersOf(view, options, gatewayClass);
  if (!resolved.found || !runsDataplane(options, gateway)) return ["Service"];
  return ["Service", workloadKind(resolved.parameters.dataplane)];
};

export const lintGateways = (world: LintWorld): readonly Finding[] => {
  const { view, options } = world;
  return view.list("Gateway").flatMap((gateway): readonly Finding[] => {
    const name = nameOfObject("Gateway", gateway);
    const object = `Gateway/${name}`;
    const className = gateway.spec.gatewayClassName;
    const known = view.get("GatewayClass", nameOf(undefined, className));
    if (known === undefined) return [finding("class-missing", object, `GatewayClass ${className} is not there`)];
    const controlled = controlledGateway(view, options, name);
    if (controlled === undefined)
      return known.spec.controllerName === options.controllerName
        ? [] // Reported for the class.
        : [finding("class-of-another", object, `GatewayClass ${className} is of ${known.spec.controllerName}`)];
    const rendered = world.rendered(name);
    if (rendered?.config === undefined)
      return [finding("gateway-invalid", object, rendered?.invalid ?? "it was not rendered")];
    const kinds = madeFor(world, gateway, controlled.gatewayClass);
    const misnamed = kinds.flatMap((kind) => objectNameProblem(kind, name) ?? []);
    if (misnamed.length > 0) return misnamed.map((says) => finding("object-name", object, says));
    const taken = kinds.filter((kind) => isForeign(view.get(kind, name)));
    // Other findings would concern objects that are not made.
    if (taken.length > 0)
      return taken.map((kind) => finding("name-taken", object, `${kind}/${name} is not the Gateway's`));
    return [
      ...ignoredAddresses(gateway).map((says) => finding("address-ignored", object, says)),
      ...lintListeners(world, name, gateway, rendered),
      ...lintAnnotations(world, name, gateway, controlled.gatewayClass),
    ];
  });
};
