/** The desired state of a Gateway: its dataplane's config, its objects, its status. */
import type { KubernetesObject } from "../resources/core.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import type { Gateway, GatewayClass, GatewayListener } from "../resources/gateway-api.ts";
import type { ObjectsView, RenderOptions, ServedCertificate } from "../resources/view.ts";
import type { Name } from "../resources/keys.ts";
import type { Dataplane } from "../resources/stunner.ts";
import { annotations as keys } from "../resources/names.ts";
import { renderAdmin } from "./admin.ts";
import { ignoredAddresses } from "./addresses.ts";
import { annotationProblems } from "./annotation-problems.ts";
import { effectiveAnnotations, targetPorts, type Annotations } from "./annotations.ts";
import { attachmentsOf } from "./attachment.ts";
import { renderAuth } from "./auth.ts";
import { lastCertificate } from "./certificate.ts";
import { parametersOf, type Parameters } from "./classes.ts";
import type { GatewayStatus } from "./conditions.ts";
import { renderConfig } from "./config.ts";
import { renderGatewayStatus, renderInvalidGatewayStatus } from "./gateway-status.ts";
import { httpBackendProblems } from "./http-backend.ts";
import { embeddedPorts } from "./embedded.ts";
import { networkPolicyOf, networkPolicyProblems } from "./network-policy.ts";
import { flawOf, judgeListeners, type JudgedListener, type ListenerFlaw } from "./listeners.ts";
import { gatewayObjects, removalsOf, type Removal } from "./objects.ts";
import { isFirstEdition } from "./rules.ts";
import { ignoredUsers } from "./users.ts";
import { listenerEntity } from "../resources/entities.ts";

export interface RenderedListener {
  /** The section name. */
  readonly name: string;
  /** `NAMESPACE/GATEWAY/LISTENER`, as in configs and facts; listeners of a received config may have any name. */
  readonly entity: string;
  readonly outcome: JudgedListener["outcome"] | "pending";
  readonly why: string;
  /** Of a listener with unresolved references: the reason of its condition, and what is wrong. */
  readonly flaw?: ListenerFlaw;
  readonly certificate?: ListenerCertificate;
}

/** The last usable certificate of a listener, even of one that is not served for another reason. */
export interface ListenerCertificate {
  readonly served: ServedCertificate;
  /** It is no longer in the objects. */
  readonly isKept: boolean;
}

export interface RenderedGateway {
  readonly name: Name;
  /** Undefined if the Gateway is invalid. */
  readonly config: DataplaneConfig | undefined;
  /** Why it is invalid. */
  readonly invalid: string | undefined;
  readonly status: GatewayStatus;
  /** To be applied, as a whole. */
  readonly objects: readonly KubernetesObject[];
  /** Must be absent, if they are ours. */
  readonly removals: readonly Removal[];
  readonly listeners: readonly RenderedListener[];
  /** By cluster name: endpoints, as in the config, that only terminating pods have. */
  readonly draining: Readonly<Record<string, readonly string[]>>;
}

const keptCertificate = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
  listener: GatewayListener,
): Pick<RenderedListener, "certificate"> => {
  const served = lastCertificate(view, options, gateway, listener);
  return served === undefined ? {} : { certificate: { served, isKept: true } };
};

const certificateOf = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
  judged: JudgedListener,
): Pick<RenderedListener, "certificate"> =>
  judged.outcome === "accepted" && judged.certificate !== undefined
    ? { certificate: { served: judged.certificate, isKept: judged.isCertificateKept === true } }
    : keptCertificate(view, options, gateway, judged.listener);

/** @param ending it is not served because the operator is shutting down. */
export const invalidGateway = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  gateway: Gateway,
  cause: string,
  ending = false,
): RenderedGateway => ({
  name,
  config: undefined,
  invalid: cause,
  status: renderInvalidGatewayStatus(options, gateway, cause),
  objects: [],
  removals: removalsOf(view, options, name, ending),
  listeners: gateway.spec.listeners.map((listener) => ({
    name: listener.name,
    entity: listenerEntity(name, listener.name),
    outcome: "pending",
    why: cause,
    ...(ending ? {} : keptCertificate(view, options, gateway, listener)),
  })),
  draining: {},
});

/**
 * Addresses and annotations that are ignored, other than those that listeners report. Names that are not a listener's are
 * not reported: the annotations of a GatewayConfig may name listeners of several Gateways.
 */
const ignoredOf = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
  dataplane: Dataplane | undefined,
  annotations: Annotations,
): readonly string[] =>
  isFirstEdition(options)
    ? []
    : [
        ...ignoredAddresses(gateway),
        ...[
          ...annotationProblems(annotations, gateway.spec.listeners),
          ...networkPolicyProblems(options, gateway, dataplane),
          ...httpBackendProblems(view, options, gateway),
        ]
          .filter(
            ({ key, kind, listener }) => kind !== "listener" && (key !== keys.targetPort || listener === undefined),
          )
          .map(({ key, says }) => `${key} ${says}`),
        ...ignoredUsers(gateway),
      ];

const validGateway = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  gateway: Gateway,
  parameters: Parameters,
): RenderedGateway => {
  const admin = renderAdmin(name, parameters);
  if (!admin.ok) return invalidGateway(view, options, name, gateway, admin.cause);
  const auth = renderAuth(view, parameters.config);
  if (!auth.ok) return invalidGateway(view, options, name, gateway, auth.cause);

  const annotations = effectiveAnnotations(parameters.config, gateway);
  const attachments = attachmentsOf(view, options, name, gateway);
  const asked = targetPorts(annotations, options);
  const targets =
    options.embedded === undefined ? asked : { ...asked, ports: embeddedPorts(name, gateway, asked.ports) };
  const judged = judgeListeners(view, options, name, gateway, attachments, targets);
  const settings = { admin: admin.value, auth: auth.value };
  const { config, draining } = renderConfig(view, options, name, gateway, settings, attachments, judged);
  const policy = networkPolicyOf(view, options, name, gateway, parameters.dataplane, attachments);
  const made = gatewayObjects(view, options, name, gateway, parameters, annotations, judged, policy);
  return {
    name,
    config,
    invalid: undefined,
    status: renderGatewayStatus(
      options,
      gateway,
      judged,
      made.obstacle,
      ignoredOf(view, options, gateway, parameters.dataplane, annotations),
    ),
    objects: made.objects,
    removals: made.removals,
    listeners: judged.map((one) => {
      const flaw = flawOf(one);
      return {
        name: one.listener.name,
        entity: listenerEntity(name, one.listener.name),
        outcome: one.outcome,
        why: one.outcome === "accepted" ? "" : one.why,
        ...(flaw === undefined || isFirstEdition(options) ? {} : { flaw }),
        ...certificateOf(view, options, gateway, one),
      };
    }),
    draining,
  };
};

export const renderControlledGateway = (
  view: ObjectsView,
  options: RenderOptions,
  name: Name,
  gateway: Gateway,
  gatewayClass: GatewayClass,
): RenderedGateway => {
  const resolved = parametersOf(view, options, gatewayClass);
  return resolved.found
    ? validGateway(view, options, name, gateway, resolved.parameters)
    : invalidGateway(view, options, name, gateway, resolved.cause);
};
