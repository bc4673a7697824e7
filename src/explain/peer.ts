/**
 * Why clients of a gateway may or may not reach a peer. The verdict is that of the relay's own rules (`Admission`) over the
 * config that was rendered; the walk from Gateway to endpoint says where the way ends that a wish would have had to go.
 */
import { parseIp, type Ip } from "../net/ip.ts";
import { Admission } from "../admission/admission.ts";
import { datagramPorts, hostAt } from "../admission/own-host.ts";
import { parseEndpoint } from "../net/endpoint.ts";
import { bitsOf } from "../net/ip.ts";
import { endpointEntity } from "../machines/backends.ts";
import { isMasked, listenerAccepts, parentGateway } from "../render/attachment.ts";
import { controlledGateway, parametersOf } from "../render/classes.ts";
import { portsProblem, renderCluster } from "../render/clusters.ts";
import { mayReferToService } from "../render/grants.ts";
import { allowsKind, groupOfRoute } from "../render/route-kinds.ts";
import type { RenderedGateway, RenderedListener } from "../render/render.ts";
import type { ClusterConfig, DataplaneConfig } from "../resources/dataplane-config.ts";
import type { BackendReference, Gateway } from "../resources/gateway-api.ts";
import { keyOf, nameOf, nameOfObject, splitName, type Name, type ObjectKey } from "../resources/keys.ts";
import { SERVICE_NAME_LABEL, STUNNER_GROUP } from "../resources/names.ts";
import type { Route } from "../resources/view.ts";
import { denials } from "../reasons.ts";
import type { Past } from "./past.ts";
import { mostTelling, type Step, type StepCode } from "./step.ts";

export interface PeerQuestion {
  readonly peer: Ip;
  readonly port?: number;
  /** Only this one; otherwise all. */
  readonly gateway?: Name;
}

export interface PeerAnswer {
  readonly reachable: boolean;
  /** The most telling step. */
  readonly because: Step;
  readonly steps: readonly Step[];
}

const kindOfRoute = { UDPRoute: "UDPRoute (stunner.l7mp.io)", GatewayUDPRoute: "UDPRoute (Gateway API)" } as const;

const contains = (endpoint: string, peer: Ip): boolean => {
  const parsed = parseEndpoint(endpoint);
  return (
    parsed !== undefined &&
    parsed.family === peer.family &&
    peer.value >> BigInt(bitsOf(peer.family) - parsed.length) === parsed.prefix
  );
};

const isHostName = ({ type }: ClusterConfig): boolean => type === "STRICT_DNS";

/** The relay's rules over a config. Of host names they know nothing: those are looked up where it runs. */
const admissionOf = (
  config: DataplaneConfig,
  draining: RenderedGateway["draining"],
  own: readonly string[],
): Admission => {
  const admission = new Admission(hostAt(own, datagramPorts(config.listeners ?? [])));
  for (const cluster of config.clusters ?? []) {
    if (isHostName(cluster)) continue;
    const all = [...new Set([...(cluster.endpoints ?? []), ...(draining[cluster.name] ?? [])])];
    const protocol = cluster.protocol === "TCP" ? ("TCP" as const) : ("UDP" as const);
    admission.apply(all.map((endpoint) => ({ change: "admit", cluster: cluster.name, endpoint, protocol })));
  }
  return admission;
};

class Walk {
  readonly #past: Past;
  readonly #question: PeerQuestion;
  readonly #who: string;

  constructor(past: Past, question: PeerQuestion) {
    this.#past = past;
    this.#question = question;
    this.#who = question.port === undefined ? question.peer.text : `${question.peer.text} port ${question.port}`;
  }

  get #view() {
    return this.#past.view;
  }

  get #options() {
    return this.#past.options;
  }

  /** Of the relay's own addresses, the one that the log knows: where the relay is in the process that renders. */
  get #own(): readonly string[] {
    const { mode, publicAddress } = this.#options;
    return mode === "standalone" && publicAddress !== undefined ? [publicAddress] : [];
  }

  #seen(...keys: readonly ObjectKey[]): readonly number[] {
    return keys.flatMap((key) => this.#past.object(key)?.seq ?? []);
  }

  #routes(): readonly Route[] {
    return [
      ...this.#view
        .list("UDPRoute")
        .map((object): Route => ({ kind: "UDPRoute", name: nameOfObject("UDPRoute", object), object })),
      ...this.#view
        .list("GatewayUDPRoute")
        .map((object): Route => ({ kind: "GatewayUDPRoute", name: nameOfObject("GatewayUDPRoute", object), object })),
    ];
  }

  gateways(): readonly Step[] {
    const { gateway } = this.#question;
    const kind = this.#options.mode === "dataplane" ? "DataplaneConfig" : "Gateway";
    const all = this.#view.list(kind).map((object) => nameOfObject(kind, object));
    return (gateway === undefined ? all : [gateway]).map((name) =>
      kind === "Gateway" ? this.#gateway(name) : this.#received(name),
    );
  }

  /** Of a dataplane, which was told a config and no objects. */
  #received(name: Name): Step {
    const events = this.#seen(keyOf("DataplaneConfig", name));
    const rendered = this.#past.rendered(name);
    const about = `gateway ${name}`;
    if (rendered?.config === undefined)
      return { about, code: "gateway-missing", says: "no config of it has come", events, steps: [] };
    const { config } = rendered;
    const steps = rendered.listeners.map((listener) => {
      const verdict = this.#verdict(rendered, config, listener, events);
      return verdict ?? this.#unlisted(`listener ${listener.entity}`, config, listener, events);
    });
    return { about, code: "passed", says: "has a config", events, steps };
  }

  #gateway(name: Name): Step {
    const about = `gateway ${name}`;
    const view = this.#view;
    const gateway = view.get("Gateway", name);
    const key = keyOf("Gateway", name);
    if (gateway === undefined) {
      const gone = this.#past.object(key);
      return {
        about,
        code: "gateway-missing",
        says: gone === undefined ? "there is no such Gateway" : "the Gateway was deleted",
        todo: "create it, or ask for another with --gateway",
        events: gone === undefined ? [] : [gone.seq],
        steps: [],
      };
    }
    const className = gateway.spec.gatewayClassName;
    const events = this.#seen(key, keyOf("GatewayClass", nameOf(undefined, className)));
    const controlled = controlledGateway(view, this.#options, name);
    if (controlled === undefined) return { about, ...this.#classProblem(className), events, steps: [] };
    const rendered = this.#past.rendered(name);
    if (rendered?.config === undefined) {
      const resolved = parametersOf(view, this.#options, controlled.gatewayClass);
      return {
        about,
        code: "gateway-invalid",
        says: rendered?.invalid ?? (resolved.found ? "it was not rendered yet" : resolved.cause),
        todo: "correct the GatewayConfig, Dataplane or Secret that the message names; until then nothing of the Gateway is served",
        events,
        steps: [],
      };
    }
    const { config } = rendered;
    const steps = gateway.spec.listeners.map((listener) => {
      const judged = rendered.listeners.find((one) => one.name === listener.name);
      return this.#listener(gateway, name, listener, rendered, config, judged, events);
    });
    return { about, code: "passed", says: `class ${className} is ours`, events, steps };
  }

  #classProblem(className: string): Pick<Step, "code" | "says" | "todo"> {
    const found = this.#view.get("GatewayClass", nameOf(undefined, className));
    const { controllerName } = this.#options;
    if (found === undefined)
      return {
        code: "class-not-ours",
        says: `GatewayClass ${className} does not exist`,
        todo: "create it, or name another",
      };
    if (found.spec.controllerName !== controllerName)
      return {
        code: "class-not-ours",
        says: `GatewayClass ${className} is of controller ${found.spec.controllerName}, this is ${controllerName}`,
        todo: "name a class of this controller, or start it with --controller-name",
      };
    return {
      code: "class-not-ours",
      says: `GatewayClass ${className} names no GatewayConfig in parametersRef`,
      todo: "give parametersRef the group stunner.l7mp.io, kind GatewayConfig, a name and a namespace",
    };
  }

  #listener(
    gateway: Gateway,
    name: Name,
    listener: Gateway["spec"]["listeners"][number],
    rendered: RenderedGateway,
    config: DataplaneConfig,
    judged: RenderedListener | undefined,
    events: readonly number[],
  ): Step {
    const about = `listener ${name}/${listener.name}`;
    if (judged !== undefined && judged.outcome !== "accepted")
      return {
        about,
        code: "listener-not-serving",
        says: `it does not serve: ${judged.why}`,
        todo: "the Gateway's status has the condition; correct the listener's protocol, port or certificate",
        events,
        steps: [],
      };
    const state = this.#past.state("listener", `${name}/${listener.name}`);
    const failed = this.#past.move("listener", `${name}/${listener.name}`);
    if (state === "failed")
      return {
        about,
        code: "listener-not-serving",
        says: `it could not be bound: ${failed?.data.why ?? "see the log"}`,
        todo: "free the port, or choose another",
        events: failed === undefined ? events : [failed.seq],
        steps: [],
      };
    const verdict = judged && this.#verdict(rendered, config, judged, events);
    if (verdict?.code === "reachable") return verdict;
    const steps = this.#routes().flatMap((route) => this.#route(gateway, name, listener, route) ?? []);
    if (verdict !== undefined) return { ...verdict, steps };
    return {
      about,
      code: steps.length > 0 ? "no-cluster" : "no-route",
      says:
        steps.length === 0 ? "no route is attached to it" : `no route attached to it lists ${this.#question.peer.text}`,
      ...(steps.length === 0 && { todo: `create a UDPRoute with a parentRef that names ${name}` }),
      events,
      steps,
    };
  }

  /** What the relay says, where it says more than that nothing lists the peer. */
  #verdict(
    rendered: RenderedGateway,
    config: DataplaneConfig,
    { entity }: RenderedListener,
    events: readonly number[],
  ): Step | undefined {
    const { peer, port } = this.#question;
    const about = `listener ${entity}`;
    const routes = new Set(config.listeners?.find((one) => one.name === entity)?.routes);
    const verdict = admissionOf(config, rendered.draining, this.#own).check(entity, routes, peer, port);
    if (verdict.admitted) {
      const drains = rendered.draining[verdict.cluster]?.includes(verdict.endpoint) === true;
      return {
        about,
        code: "reachable",
        says: `clients may reach ${this.#who}: endpoint ${verdict.endpoint} of ${verdict.cluster}${drains ? ", which is terminating: until it is gone" : ""}`,
        events,
        steps: [],
      };
    }
    const hosts = (config.clusters ?? []).filter((cluster) => routes.has(cluster.name) && isHostName(cluster));
    const { code, reason } = verdict;
    if (code !== "no-cluster" && code !== "revoked")
      return { about, code, says: reason, todo: denials[code].todo, events, steps: [] };
    if (hosts.length === 0) return undefined;
    return {
      about,
      code: "host-names",
      says: `${hosts.map(({ name }) => name).join(", ")}: host names that the dataplane looks up; whether ${peer.text} is among them is known there`,
      todo: "ask `turnpike status` of the dataplane",
      events,
      steps: [],
    };
  }

  #unlisted(about: string, config: DataplaneConfig, { entity }: RenderedListener, events: readonly number[]): Step {
    const { peer } = this.#question;
    const routes = new Set(config.listeners?.find((one) => one.name === entity)?.routes);
    const other = (config.clusters ?? []).find(
      ({ name, endpoints }) => !routes.has(name) && endpoints?.some((endpoint) => contains(endpoint, peer)) === true,
    );
    if (other !== undefined)
      return {
        about,
        code: "other-gateway",
        says: `${other.name} lists ${peer.text}, but the listener does not route to it`,
        todo: "attach the route to this listener",
        events,
        steps: [],
      };
    const gone = [...routes].flatMap((cluster) => this.#gone(`cluster:${cluster}`));
    return {
      about,
      code: "no-cluster",
      says: `none of its ${routes.size} routes lists ${peer.text}`,
      events,
      steps: gone,
    };
  }

  /** Nothing where the route has nothing to do with the question. */
  #route(gateway: Gateway, name: Name, listener: Gateway["spec"]["listeners"][number], route: Route): Step | undefined {
    const view = this.#view;
    const about = `${kindOfRoute[route.kind]} ${route.name}`;
    const events = this.#seen(keyOf(route.kind, route.name));
    const parents = route.object.spec.parentRefs ?? [];
    const ours = parents.filter((parent) => parentGateway(route, parent) === name);
    const lists = this.#lists(route);
    const refuse = (code: StepCode, says: string, todo: string): Step => ({
      about,
      code,
      says,
      todo,
      events,
      steps: [],
    });

    if (ours.length === 0) {
      if (!lists) return undefined;
      const { name: short, namespace } = splitName(name);
      const named = parents.map(
        (parent) => parentGateway(route, parent) ?? `${parent.kind ?? "Gateway"} ${parent.name}`,
      );
      if (parents.some((parent) => parent.name === short && (parent.namespace ?? "") !== namespace))
        return refuse(
          "parent-namespace",
          `its parentRef names Gateway ${named.join(", ")}, not ${name}`,
          `add "namespace: ${namespace}" to its parentRef`,
        );
      return refuse(
        "other-gateway",
        named.length === 0 ? "it has no parentRef" : `it is for ${named.join(", ")}`,
        `add a parentRef that names ${name}`,
      );
    }
    if (isMasked(view, route))
      return refuse(
        "masked",
        "a UDPRoute of stunner.l7mp.io has the same name, and counts in its place",
        "delete or rename one of them",
      );
    const accepted = ours.some((parent) => listenerAccepts(view, this.#options, gateway, listener, route, parent));
    if (!accepted) {
      const section = ours.every(({ sectionName }) => sectionName !== undefined && sectionName !== listener.name);
      if (section)
        return refuse(
          "section-name",
          `it asks for listener ${ours.map(({ sectionName }) => sectionName).join(", ")}`,
          `change sectionName to ${listener.name}, or leave it out`,
        );
      if (!allowsKind(this.#options, listener, route))
        return refuse(
          "kind-not-allowed",
          `the listener's allowedRoutes.kinds has no UDPRoute of group ${groupOfRoute(route)}`,
          `add it to allowedRoutes.kinds of listener ${listener.name}, or remove kinds`,
        );
      return refuse(
        "namespace-not-allowed",
        this.#namespaceProblem(listener, splitName(route.name).namespace, gateway),
        `set allowedRoutes.namespaces of listener ${listener.name} to from: All, or to a selector that matches`,
      );
    }
    const [rule] = route.object.spec.rules;
    const references = rule?.backendRefs ?? [];
    if (references.length === 0) return refuse("no-rules", "it names no backend", "give its first rule a backendRef");
    const steps = references.map((reference) => this.#backend(route, reference));
    return { about, code: "passed", says: "attached", events, steps };
  }

  #namespaceProblem(
    { allowedRoutes }: Gateway["spec"]["listeners"][number],
    namespace: string,
    gateway: Gateway,
  ): string {
    const policy = allowedRoutes?.namespaces;
    const own = gateway.metadata.namespace ?? "default";
    if (policy?.from !== "Selector")
      return `the listener takes routes of its own namespace ${own} (from: ${policy?.from ?? "Same"}), this one is in ${namespace}`;
    const known = this.#view.get("Namespace", nameOf(undefined, namespace));
    const labels = Object.entries(known?.metadata.labels ?? {}).map(([key, value]) => `${key}=${value}`);
    return known === undefined
      ? `nothing is known of namespace ${namespace}, and the listener selects namespaces by label`
      : `the listener's selector does not match namespace ${namespace} (${labels.join(", ") || "no labels"})`;
  }

  #backend(route: Route, reference: BackendReference): Step {
    const view = this.#view;
    const group = reference.group ?? "";
    const kind = reference.kind ?? "Service";
    const name = nameOf(reference.namespace ?? splitName(route.name).namespace, reference.name);
    const { peer } = this.#question;
    const isStatic = group === STUNNER_GROUP && kind === "StaticService";
    const about = `${isStatic ? "StaticService" : kind} ${name}`;
    const events = this.#seen(keyOf(isStatic ? "StaticService" : "Service", name));
    const step = (code: StepCode, says: string, todo?: string, steps: readonly Step[] = []): Step => ({
      about,
      code,
      says,
      ...(todo !== undefined && { todo }),
      events,
      steps,
    });
    const ports = portsProblem(this.#options, route, reference);
    if (ports !== undefined) return step("backend-unusable", ports, "correct port and endPort of the backendRef");
    if (isStatic) {
      const prefixes = view.get("StaticService", name)?.spec.prefixes;
      if (prefixes === undefined)
        return step(
          "service-missing",
          "there is no such StaticService",
          "create it, or correct the name in the backendRef",
        );
      return step(
        "no-cluster",
        `its prefixes are ${prefixes.join(", ")}`,
        `add ${peer.text} to its prefixes`,
        this.#gone(`static-service:${name}`),
      );
    }
    if (group !== "" || kind !== "Service")
      return step(
        "backend-unusable",
        `backend kind ${kind} of group "${group}" is not supported`,
        "name a Service, or a StaticService of stunner.l7mp.io",
      );
    if (!mayReferToService(view, this.#options, route, name))
      return step(
        "grant-missing",
        "no ReferenceGrant lets the route refer to it",
        `create a ReferenceGrant in ${splitName(name).namespace}`,
      );
    const { found, endpoints } = view.endpointsOfService(name);
    const steps = this.#gone(`service:${name}`);
    if (!found && view.get("Service", name) === undefined)
      return step(
        "service-missing",
        "there is no such Service",
        "create it, or correct name and namespace in the backendRef",
        steps,
      );
    if (endpoints.length === 0 && view.get("Service", name)?.spec?.type === "ExternalName")
      return step(
        "backend-unusable",
        "it is of type ExternalName, which has no endpoints",
        "name a Service with a selector, or a StaticService that lists the addresses",
      );
    if (endpoints.length === 0)
      return step(
        "no-endpoints",
        "it has no endpoints",
        "see whether its selector matches pods, and whether these are ready",
        steps,
      );
    const cluster =
      endpoints.length > 8 ? `${endpoints.length} endpoints` : endpoints.map(({ address }) => address).join(", ");
    return step(
      "no-cluster",
      `it has ${cluster}; ${peer.text} is none of them`,
      "send to one of its endpoints; a pod that should be one has to be ready and to match the Service's selector",
      steps,
    );
  }

  /** That the peer was an endpoint of `backend` once. */
  #gone(backend: Parameters<typeof endpointEntity>[0]): readonly Step[] {
    const entity = endpointEntity(backend, this.#question.peer.text);
    const move = this.#past.move("endpoint", entity);
    if (move === undefined || move.data.to !== "gone") return [];
    const chain = this.#past.chain(move.seq);
    const because = chain.at(-2);
    const seconds = Math.max(0, Math.round((this.#past.time - move.time) / 1000));
    return [
      {
        about: `endpoint ${entity}`,
        code: "revoked",
        says: `it is gone since ${seconds} s${because === undefined ? "" : `: event ${because.seq}, ${because.says}, lists it no more`}`,
        todo: denials.revoked.todo,
        events: chain.map(({ seq }) => seq),
        steps: [],
      },
    ];
  }

  #lists(route: Route): boolean {
    const { peer } = this.#question;
    const { cluster, draining } = renderCluster(this.#view, this.#options, route);
    return [...(cluster?.endpoints ?? []), ...draining].some((endpoint) => contains(endpoint, peer));
  }

  /** The Services whose EndpointSlices have the peer, and no route names. */
  unrouted(): readonly Step[] {
    const { peer } = this.#question;
    const named = new Set(
      this.#routes().flatMap((route) =>
        (route.object.spec.rules[0]?.backendRefs ?? []).map(({ namespace, name }) =>
          nameOf(namespace ?? splitName(route.name).namespace, name),
        ),
      ),
    );
    return this.#view.list("EndpointSlice").flatMap((slice): readonly Step[] => {
      const has = slice.endpoints?.some(({ addresses }) =>
        addresses.some((address) => parseIp(address)?.text === peer.text),
      );
      const service = slice.metadata.labels?.[SERVICE_NAME_LABEL];
      const name = nameOf(slice.metadata.namespace ?? "default", service ?? "");
      if (has !== true || service === undefined || named.has(name)) return [];
      return [
        {
          about: `Service ${name}`,
          code: "service-not-routed",
          says: `${peer.text} is an endpoint of it, and no route names it`,
          todo: `add a backendRef to Service ${name} to a route of the Gateway`,
          events: this.#seen(keyOf("EndpointSlice", nameOfObject("EndpointSlice", slice))),
          steps: [],
        },
      ];
    });
  }

  /** Before everything is listed nothing is concluded. */
  notSynced(): readonly Step[] {
    const state = this.#past.state("operator", "operator");
    if (state !== undefined && state !== "starting" && state !== "syncing") return [];
    return [
      {
        about: "turnpike",
        code: "not-synced",
        says: "it had not listed all objects yet; what was in force before stayed in force",
        todo: "ask for a later moment with --at, or see `turnpike log` for watch.lost",
        events: [this.#past.seq],
        steps: [],
      },
    ];
  }
}

export const explainPeer = (past: Past, question: PeerQuestion): PeerAnswer => {
  const walk = new Walk(past, question);
  const steps = [...walk.notSynced(), ...walk.gateways(), ...walk.unrouted()];
  const because = mostTelling(steps) ?? {
    about: "turnpike",
    code: "gateway-missing",
    says: "there is no Gateway",
    todo: "create a GatewayClass, a GatewayConfig and a Gateway",
    events: [],
    steps: [],
  };
  return { reachable: because.code === "reachable", because, steps };
};
