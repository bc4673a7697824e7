/** Why clients of one listener may or may not reach the peer. */
import type { RenderedListener } from "../render/render.ts";
import type { Gateway, GatewayListener } from "../resources/gateway-api.ts";
import type { Name } from "../resources/keys.ts";
import { routesOf } from "../resources/view.ts";
import { contains, formerEndpoint } from "./endpoints.ts";
import type { Inquiry } from "./inquiry.ts";
import { explainRoute } from "./route.ts";
import type { Step } from "./step.ts";
import { clustersOf, verdictOf, type Configured } from "./verdict.ts";
import { listenerEntity } from "../resources/entities.ts";

/** Of a Gateway that was rendered from objects: the search continues with routes and backends. */
export const explainListener = (
  inquiry: Inquiry,
  gateway: Gateway,
  name: Name,
  listener: GatewayListener,
  configured: Configured,
  events: readonly number[],
): Step => {
  const { past, question } = inquiry;
  const entity = listenerEntity(name, listener.name);
  const about = `listener ${entity}`;
  const judged = configured.listeners.find((one) => one.name === listener.name);
  if (judged !== undefined && judged.outcome !== "accepted")
    return {
      about,
      code: "listener-not-serving",
      says: `it is not serving: ${judged.why}`,
      todo: "see the condition in the Gateway's status; correct the listener's protocol, port or certificate",
      events,
      steps: [],
    };
  if (past.state("listener", entity) === "failed") {
    const failed = past.move("listener", entity);
    return {
      about,
      code: "listener-not-serving",
      says: `it could not be bound: ${failed?.data.why ?? "see the log"}`,
      todo: "free the port, or choose another port",
      events: failed === undefined ? events : [failed.seq],
      steps: [],
    };
  }
  const verdict = judged && verdictOf(inquiry, configured, judged, events);
  if (verdict?.code === "reachable") return verdict;
  const steps = routesOf(past.view).flatMap((route) => explainRoute(inquiry, gateway, name, listener, route) ?? []);
  if (verdict !== undefined) return { ...verdict, steps };
  if (steps.length > 0)
    return {
      about,
      code: "no-cluster",
      says: `no route attached to it contains ${question.peer.text}`,
      events,
      steps,
    };
  return {
    about,
    code: "no-route",
    says: "no route is attached to it",
    todo: `create a UDPRoute with a parentRef to ${name}`,
    events,
    steps,
  };
};

/** Of a received config: only its clusters are known. */
export const explainReceivedListener = (
  inquiry: Inquiry,
  configured: Configured,
  listener: RenderedListener,
  events: readonly number[],
): Step => {
  const verdict = verdictOf(inquiry, configured, listener, events);
  if (verdict !== undefined) return verdict;
  const { peer } = inquiry.question;
  const about = `listener ${listener.entity}`;
  const clusters = clustersOf(configured, listener);
  const other = (configured.config.clusters ?? []).find(
    ({ name, endpoints }) => !clusters.has(name) && endpoints?.some((endpoint) => contains(endpoint, peer)) === true,
  );
  if (other !== undefined)
    return {
      about,
      code: "other-gateway",
      says: `${other.name} contains ${peer.text}, but is not attached to the listener`,
      todo: "attach the route to this listener",
      events,
      steps: [],
    };
  return {
    about,
    code: "no-cluster",
    says: `none of its ${clusters.size} routes contains ${peer.text}`,
    events,
    steps: [...clusters].flatMap((cluster) => formerEndpoint(inquiry, `cluster:${cluster}`)),
  };
};
