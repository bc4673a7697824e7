/** Why clients of one gateway may or may not reach the peer. */
import { controlledGateway, parametersOf } from "../render/classes.ts";
import { keyOf, nameOf, type Name } from "../resources/keys.ts";
import { seen, type Inquiry } from "./inquiry.ts";
import { explainListener, explainReceivedListener } from "./listener.ts";
import type { Past } from "./past.ts";
import type { Step } from "./step.ts";
import { isConfigured } from "./verdict.ts";

const classProblem = ({ view, options }: Past, className: string): Pick<Step, "code" | "says" | "todo"> => {
  const found = view.get("GatewayClass", nameOf(undefined, className));
  const { controllerName } = options;
  if (found === undefined)
    return {
      code: "class-not-ours",
      says: `GatewayClass ${className} does not exist`,
      todo: "create it, or use another",
    };
  if (found.spec.controllerName !== controllerName)
    return {
      code: "class-not-ours",
      says: `GatewayClass ${className} belongs to controller ${found.spec.controllerName}; this controller is ${controllerName}`,
      todo: "use a class of this controller, or set its name with --controller-name",
    };
  return {
    code: "class-not-ours",
    says: `GatewayClass ${className} refers to no GatewayConfig in parametersRef`,
    todo: "set parametersRef to group stunner.l7mp.io, kind GatewayConfig, a name and a namespace",
  };
};

export const explainGateway = (inquiry: Inquiry, name: Name): Step => {
  const { past } = inquiry;
  const { view, options } = past;
  const about = `gateway ${name}`;
  const gateway = view.get("Gateway", name);
  const key = keyOf("Gateway", name);
  if (gateway === undefined) {
    const gone = past.object(key);
    return {
      about,
      code: "gateway-missing",
      says: gone === undefined ? "the Gateway does not exist" : "the Gateway was deleted",
      todo: "create it, or choose another with --gateway",
      events: gone === undefined ? [] : [gone.seq],
      steps: [],
    };
  }
  const className = gateway.spec.gatewayClassName;
  const events = seen(inquiry, key, keyOf("GatewayClass", nameOf(undefined, className)));
  const controlled = controlledGateway(view, options, name);
  if (controlled === undefined) return { about, ...classProblem(past, className), events, steps: [] };
  const rendered = past.rendered(name);
  if (!isConfigured(rendered)) {
    const resolved = parametersOf(view, options, controlled.gatewayClass);
    return {
      about,
      code: "gateway-invalid",
      says: rendered?.invalid ?? (resolved.found ? "it has not been rendered yet" : resolved.cause),
      todo: "correct the GatewayConfig, Dataplane or Secret that the message names; until then the Gateway is not served",
      events,
      steps: [],
    };
  }
  const steps = gateway.spec.listeners.map((listener) =>
    explainListener(inquiry, gateway, name, listener, rendered, events),
  );
  return { about, code: "passed", says: `GatewayClass ${className} belongs to this controller`, events, steps };
};

/** Of a dataplane, which received a config but no objects. */
export const explainReceived = (inquiry: Inquiry, name: Name): Step => {
  const events = seen(inquiry, keyOf("DataplaneConfig", name));
  const rendered = inquiry.past.rendered(name);
  const about = `gateway ${name}`;
  if (!isConfigured(rendered))
    return { about, code: "gateway-missing", says: "no config for it has been received", events, steps: [] };
  const steps = rendered.listeners.map((listener) => explainReceivedListener(inquiry, rendered, listener, events));
  return { about, code: "passed", says: "has a config", events, steps };
};
