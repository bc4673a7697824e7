/** Why a route does not lead from a listener to the peer. */
import { isMasked, parentGateway, rejectionOf, type Rejection } from "../render/attachment.ts";
import { groupOfRoute } from "../render/route-kinds.ts";
import type { Gateway, GatewayListener, ParentReference } from "../resources/gateway-api.ts";
import { keyOf, nameOf, splitName, type Name } from "../resources/keys.ts";
import type { Route } from "../resources/view.ts";
import { explainBackend } from "./backend.ts";
import { routeLists } from "./endpoints.ts";
import { seen, type Inquiry } from "./inquiry.ts";
import type { Step } from "./step.ts";

const kindOfRoute = { UDPRoute: "UDPRoute (stunner.l7mp.io)", GatewayUDPRoute: "UDPRoute (Gateway API)" } as const;

type Refusal = Required<Pick<Step, "code" | "says" | "todo">>;

/** Of a route that no parentRef attaches to the Gateway. */
const otherParent = (gateway: Name, route: Route): Refusal => {
  const parents = route.object.spec.parentRefs ?? [];
  const { name, namespace } = splitName(gateway);
  const named = parents.map((parent) => parentGateway(route, parent) ?? `${parent.kind ?? "Gateway"} ${parent.name}`);
  if (parents.some((parent) => parent.name === name && (parent.namespace ?? "") !== namespace))
    return {
      code: "parent-namespace",
      says: `its parentRef refers to Gateway ${named.join(", ")}, not ${gateway}`,
      todo: `add "namespace: ${namespace}" to its parentRef`,
    };
  return {
    code: "other-gateway",
    says: named.length === 0 ? "it has no parentRef" : `its parentRef refers to ${named.join(", ")}`,
    todo: `add a parentRef to ${gateway}`,
  };
};

const namespaceProblem = (
  { past }: Inquiry,
  gateway: Gateway,
  listener: GatewayListener,
  route: Route,
  rejection: Exclude<Rejection, "section-name" | "kind">,
): string => {
  const { namespace } = splitName(route.name);
  switch (rejection) {
    case "other-namespace": {
      const own = gateway.metadata.namespace ?? "default";
      const from = listener.allowedRoutes?.namespaces?.from ?? "Same";
      return `the listener allows routes from its own namespace ${own} (from: ${from}); this route is in ${namespace}`;
    }
    case "unknown-namespace":
      return `namespace ${namespace} is unknown, and the listener selects namespaces by label`;
    case "namespace-labels": {
      const known = past.view.get("Namespace", nameOf(undefined, namespace));
      const labels = Object.entries(known?.metadata.labels ?? {}).map(([key, value]) => `${key}=${value}`);
      return `the listener's selector does not match namespace ${namespace} (${labels.join(", ") || "no labels"})`;
    }
    default:
      return rejection satisfies never;
  }
};

/** The meaning of `rejection` for the user, for a route whose parentRefs to the Gateway are `parents`. */
const refusalOf = (
  inquiry: Inquiry,
  gateway: Gateway,
  listener: GatewayListener,
  route: Route,
  parents: readonly ParentReference[],
  rejection: Rejection,
): Refusal => {
  switch (rejection) {
    case "section-name":
      return {
        code: "section-name",
        says: `its sectionName selects listener ${parents.map(({ sectionName }) => sectionName).join(", ")}`,
        todo: `change sectionName to ${listener.name}, or remove it`,
      };
    case "kind":
      return {
        code: "kind-not-allowed",
        says: `the listener's allowedRoutes.kinds has no UDPRoute of group ${groupOfRoute(route)}`,
        todo: `add it to allowedRoutes.kinds of listener ${listener.name}, or remove kinds`,
      };
    default:
      return {
        code: "namespace-not-allowed",
        says: namespaceProblem(inquiry, gateway, listener, route, rejection),
        todo: `set allowedRoutes.namespaces of listener ${listener.name} to from: All, or to a selector that matches`,
      };
  }
};

/** Undefined if the route is not related to the question. */
export const explainRoute = (
  inquiry: Inquiry,
  gateway: Gateway,
  name: Name,
  listener: GatewayListener,
  route: Route,
): Step | undefined => {
  const { view, options } = inquiry.past;
  const about = `${kindOfRoute[route.kind]} ${route.name}`;
  const events = seen(inquiry, keyOf(route.kind, route.name));
  const refuse = (refusal: Refusal): Step => ({ about, ...refusal, events, steps: [] });

  const parents = (route.object.spec.parentRefs ?? []).filter((parent) => parentGateway(route, parent) === name);
  if (parents.length === 0) return routeLists(inquiry, route) ? refuse(otherParent(name, route)) : undefined;
  if (isMasked(view, route))
    return refuse({
      code: "masked",
      says: "a UDPRoute of stunner.l7mp.io with the same name replaces it",
      todo: "delete or rename one of them",
    });
  const rejections = parents.map((parent) => rejectionOf(view, options, gateway, listener, route, parent));
  // Only the selection by sectionName differs between parentRefs: if one selects the listener, the other conditions count.
  const rejection = rejections.every((one) => one === "section-name")
    ? "section-name"
    : rejections.find((one) => one !== "section-name");
  if (rejection !== undefined) return refuse(refusalOf(inquiry, gateway, listener, route, parents, rejection));
  const references = route.object.spec.rules[0]?.backendRefs ?? [];
  if (references.length === 0)
    return refuse({ code: "no-rules", says: "it has no backends", todo: "add a backendRef to its first rule" });
  const steps = references.map((reference) => explainBackend(inquiry, route, reference));
  return { about, code: "passed", says: "attached", events, steps };
};
