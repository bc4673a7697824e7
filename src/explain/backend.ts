/** Why a backend of an attached route does not lead to the peer. */
import { portsProblem } from "../render/clusters.ts";
import { mayReferToService } from "../render/grants.ts";
import type { BackendReference } from "../resources/gateway-api.ts";
import { keyOf, nameOf, splitName } from "../resources/keys.ts";
import { STUNNER_GROUP } from "../resources/names.ts";
import type { Route } from "../resources/view.ts";
import { formerEndpoint } from "./endpoints.ts";
import { seen, type Inquiry } from "./inquiry.ts";
import type { Step, StepCode } from "./step.ts";

/** More endpoints than these are counted, not listed. */
const MAX_LISTED = 8;

export const explainBackend = (inquiry: Inquiry, route: Route, reference: BackendReference): Step => {
  const {
    past: { view, options },
    question: { peer },
  } = inquiry;
  const group = reference.group ?? "";
  const kind = reference.kind ?? "Service";
  const name = nameOf(reference.namespace ?? splitName(route.name).namespace, reference.name);
  const isStatic = group === STUNNER_GROUP && kind === "StaticService";
  const about = `${isStatic ? "StaticService" : kind} ${name}`;
  const events = seen(inquiry, keyOf(isStatic ? "StaticService" : "Service", name));
  const step = (code: StepCode, says: string, todo: string, steps: readonly Step[] = []): Step => ({
    about,
    code,
    says,
    todo,
    events,
    steps,
  });
  const ports = portsProblem(options, route, reference);
  if (ports !== undefined) return step("backend-unusable", ports, "correct port and endPort of the backendRef");
  if (isStatic) {
    const prefixes = view.get("StaticService", name)?.spec.prefixes;
    if (prefixes === undefined)
      return step(
        "service-missing",
        "the StaticService does not exist",
        "create it, or correct the name in the backendRef",
      );
    return step(
      "no-cluster",
      `its prefixes are ${prefixes.join(", ")}`,
      `add ${peer.text} to its prefixes`,
      formerEndpoint(inquiry, `static-service:${name}`),
    );
  }
  if (group !== "" || kind !== "Service")
    return step(
      "backend-unusable",
      `backend kind ${kind} of group "${group}" is not supported`,
      "use a Service, or a StaticService of stunner.l7mp.io",
    );
  if (!mayReferToService(view, options, route, name))
    return step(
      "grant-missing",
      "no ReferenceGrant allows the route to refer to it",
      `create a ReferenceGrant in ${splitName(name).namespace}`,
    );
  const { found, endpoints } = view.endpointsOfService(name);
  const steps = formerEndpoint(inquiry, `service:${name}`);
  const service = view.get("Service", name);
  if (!found && service === undefined)
    return step(
      "service-missing",
      "the Service does not exist",
      "create it, or correct name and namespace in the backendRef",
      steps,
    );
  if (endpoints.length === 0 && service?.spec?.type === "ExternalName")
    return step(
      "backend-unusable",
      "its type is ExternalName, which has no endpoints",
      "use a Service with a selector, or a StaticService that lists the addresses",
    );
  if (endpoints.length === 0)
    return step(
      "no-endpoints",
      "it has no endpoints",
      "check that its selector matches pods, and that the pods are ready",
      steps,
    );
  const listed =
    endpoints.length > MAX_LISTED
      ? `${endpoints.length} endpoints`
      : endpoints.map(({ address }) => address).join(", ");
  return step(
    "no-cluster",
    `its endpoints are ${listed}; ${peer.text} is not one of them`,
    "use one of its endpoints; a pod becomes an endpoint if it matches the Service's selector and is ready",
    steps,
  );
};
