/** References into other namespaces, which the Gateway API leaves to the namespace referred to: its ReferenceGrants. */
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

/** Within one namespace nothing is needed. Across, one grant must name both sides; of several, any will do. */
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

/** STUNner knows no grants, so its own routes need none unless they are asked for. */
export const mayReferToService = (view: ObjectsView, options: RenderOptions, route: Route, service: Name): boolean => {
  const isNative = route.kind === "UDPRoute";
  if (isNative && !options.requireReferenceGrants) return true;
  const group = isNative ? STUNNER_GROUP : GATEWAY_API_GROUP;
  const { namespace } = splitName(route.name);
  return isGranted(view, { group, kind: "UDPRoute", namespace }, { group: "", kind: "Service", ...splitName(service) });
};

/** STUNner serves certificates of any namespace; so do we unless grants are asked for. */
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
