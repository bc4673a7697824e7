/** References into other namespaces: the ReferenceGrants of the target namespace decide whether they are allowed. */
import type { Gateway } from "../resources/gateway-api.ts";
import { splitName, type Name } from "../resources/keys.ts";
import { GATEWAY_API_GROUP, STUNNER_GROUP } from "../resources/names.ts";
import type { ObjectsView, RenderOptions, Route } from "../resources/view.ts";

interface Referrer {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
}

interface Referent extends Referrer {
  readonly name: string;
}

/**
 * References within a namespace need no grant. Across namespaces, one grant must name both sides; any one of several grants
 * is sufficient.
 */
const isGranted = (view: ObjectsView, from: Referrer, to: Referent): boolean =>
  from.namespace === to.namespace ||
  view
    .grantsOfNamespace(to.namespace)
    .some(
      ({ spec }) =>
        spec.from.some(
          ({ group, kind, namespace }) => group === from.group && kind === from.kind && namespace === from.namespace,
        ) &&
        spec.to.some(
          ({ group, kind, name }) => group === to.group && kind === to.kind && (name === undefined || name === to.name),
        ),
    );

/** STUNner does not check grants, so its own routes need none unless grants are enabled for them. */
export const mayReferToService = (view: ObjectsView, options: RenderOptions, route: Route, service: Name): boolean => {
  const isNative = route.kind === "UDPRoute";
  if (isNative && !options.requireReferenceGrants) return true;
  const group = isNative ? STUNNER_GROUP : GATEWAY_API_GROUP;
  const { namespace } = splitName(route.name);
  return isGranted(view, { group, kind: "UDPRoute", namespace }, { group: "", kind: "Service", ...splitName(service) });
};

/** STUNner serves certificates of any namespace; so do we unless grants are enabled for them. */
export const mayReferToSecret = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
  secret: Name,
): boolean => {
  if (!options.requireReferenceGrants) return true;
  const { namespace = "default" } = gateway.metadata;
  const from = { group: GATEWAY_API_GROUP, kind: "Gateway", namespace };
  return isGranted(view, from, { group: "", kind: "Secret", ...splitName(secret) });
};
