/** What people get bitten by, and what `turnpike explain` says of it: a test for each. */
import { describe, expect, it } from "vitest";
import { parseIp } from "../../src/net/ip.ts";
import { explainObject } from "../../src/explain/object.ts";
import { pastOf, type Past } from "../../src/explain/past.ts";
import type { PeerQuestion } from "../../src/explain/inquiry.ts";
import { explainPeer, type PeerAnswer } from "../../src/explain/peer.ts";
import type { StepCode } from "../../src/explain/step.ts";
import type { JournalLine } from "../../src/journal/fact.ts";
import type { Name } from "../../src/resources/keys.ts";
import { standaloneOptions } from "../../src/runtime/options.ts";
import { createHistory, type History } from "../support/given.ts";
import * as the from "./world.ts";

const past = (lines: readonly JournalLine[], until?: number): Past => {
  const made = pastOf(lines, until);
  if (made === undefined) throw new Error("the log is empty");
  return made;
};

interface Asked {
  readonly peer?: string;
  readonly port?: number;
  readonly gateway?: string;
}

const ask = (history: History, { peer = "10.1.0.7", port, gateway }: Asked = {}, until?: number): PeerAnswer => {
  const question: PeerQuestion = {
    peer: parseIp(peer)!,
    ...(port !== undefined && { port }),
    ...(gateway !== undefined && { gateway: gateway as Name }),
  };
  return explainPeer(past(history.lines, until), question);
};

interface Case {
  readonly what: string;
  readonly world: () => History;
  readonly asked?: Asked;
  readonly code: StepCode;
  /** Of the step that the answer rests on. */
  readonly about: string;
  readonly says: RegExp;
  readonly todo?: RegExp;
}

const otherNamespace = (policy: unknown): History =>
  the.historyOf(
    the.worldWith(
      [
        the.gateway([the.listener({ allowedRoutes: { namespaces: policy } })]),
        the.route({
          namespace: "other",
          parents: [{ name: "gw", namespace: "media" }],
          backends: [the.backend({ namespace: "media" })],
        }),
      ],
      [the.route()],
    ),
  );

const cases: readonly Case[] = [
  {
    what: "a port outside the range of the route",
    world: () =>
      the.historyOf(the.worldWith([the.route({ backends: [the.backend({ port: 10_000, endPort: 20_000 })] })])),
    asked: { port: 5000 },
    code: "port",
    about: "listener media/gw/udp",
    says: /5000.*10000.*20000/,
    todo: /endPort/,
  },
  {
    what: "a route made before its Service",
    world: () => the.historyOf(the.worldWith([], [the.service(), the.slice([])])),
    code: "service-missing",
    about: "Service media/sfu",
    says: /the Service does not exist/,
    todo: /create it/,
  },
  {
    what: "a Service whose pods are not there",
    world: () => the.historyOf(the.worldWith([the.slice([])])),
    code: "no-endpoints",
    about: "Service media/sfu",
    says: /no endpoints/,
    todo: /selector/,
  },
  {
    what: "a Service of type ExternalName",
    world: () =>
      the.historyOf(
        the.worldWith([
          [
            "Service",
            {
              apiVersion: "v1",
              kind: "Service",
              metadata: { name: "sfu", namespace: "media" },
              spec: { type: "ExternalName", externalName: "sfu.example.org" },
            },
          ],
          the.slice([]),
        ]),
      ),
    code: "backend-unusable",
    about: "Service media/sfu",
    says: /type is ExternalName/,
    todo: /StaticService/,
  },
  {
    what: "a backend whose ports match nothing",
    world: () =>
      the.historyOf(the.worldWith([the.route({ backends: [the.backend({ port: 10_000, endPort: 9000 })] })])),
    code: "backend-unusable",
    about: "Service media/sfu",
    says: /endPort 9000 is below port 10000/,
    todo: /endPort/,
  },
  {
    what: "a listener that does not take routes of this kind",
    world: () =>
      the.historyOf(the.worldWith([the.gateway([the.listener({ allowedRoutes: { kinds: [{ kind: "UDPRoute" }] } })])])),
    code: "kind-not-allowed",
    about: "UDPRoute (stunner.l7mp.io) media/calls",
    says: /no UDPRoute of group stunner\.l7mp\.io/,
    todo: /allowedRoutes\.kinds of listener udp/,
  },
  {
    what: "a backendRef without the namespace of its Service",
    world: () =>
      the.historyOf(
        the.worldWith(
          [the.service("sfu", "other"), the.slice(["10.1.0.7"], { namespace: "other" })],
          [the.service(), the.slice([])],
        ),
      ),
    code: "service-missing",
    about: "Service media/sfu",
    says: /the Service does not exist/,
    todo: /namespace/,
  },
  {
    what: "a Gateway API route into another namespace without a ReferenceGrant",
    world: () =>
      the.historyOf(
        the.worldWith(
          [
            the.route({ kind: "GatewayUDPRoute", backends: [the.backend({ namespace: "other" })] }),
            the.service("sfu", "other"),
            the.slice(["10.1.0.7"], { namespace: "other" }),
          ],
          [the.route(), the.service(), the.slice([])],
        ),
      ),
    code: "grant-missing",
    about: "Service other/sfu",
    says: /no ReferenceGrant/,
    todo: /ReferenceGrant in other/,
  },
  {
    what: "a route of another namespace, where the listener takes its own only",
    world: () => otherNamespace({ from: "Same" }),
    code: "namespace-not-allowed",
    about: "UDPRoute (stunner.l7mp.io) other/calls",
    says: /own namespace media \(from: Same\); this route is in other/,
    todo: /from: All/,
  },
  {
    what: "a route of another namespace, where the listener says nothing of namespaces",
    world: () => otherNamespace(undefined),
    code: "namespace-not-allowed",
    about: "UDPRoute (stunner.l7mp.io) other/calls",
    says: /from: Same/,
    todo: /allowedRoutes/,
  },
  {
    what: "a selector that does not match the labels of the route's namespace",
    world: () => otherNamespace({ from: "Selector", selector: { matchLabels: { team: "media" } } }),
    code: "namespace-not-allowed",
    about: "UDPRoute (stunner.l7mp.io) other/calls",
    says: /does not match namespace other \(team=other\)/,
    todo: /selector/,
  },
  {
    what: "a sectionName that no listener has",
    world: () => the.historyOf(the.worldWith([the.route({ parents: [{ name: "gw", sectionName: "udp-listener" }] })])),
    code: "section-name",
    about: "UDPRoute (stunner.l7mp.io) media/calls",
    says: /sectionName selects listener udp-listener/,
    todo: /sectionName to udp/,
  },
  {
    what: "a parentRef without the namespace of the Gateway",
    world: () =>
      the.historyOf(
        the.worldWith(
          [the.route({ namespace: "other", backends: [the.backend({ namespace: "media" })] })],
          [the.route()],
        ),
      ),
    code: "parent-namespace",
    about: "UDPRoute (stunner.l7mp.io) other/calls",
    says: /refers to Gateway other\/gw, not media\/gw/,
    todo: /namespace: media/,
  },
  {
    what: "a parentRef that misspells the Gateway",
    world: () => the.historyOf(the.worldWith([the.route({ parents: [{ name: "gateway" }] })])),
    code: "other-gateway",
    about: "UDPRoute (stunner.l7mp.io) media/calls",
    says: /parentRef refers to media\/gateway/,
    todo: /parentRef to media\/gw/,
  },
  {
    what: "a route without a parentRef",
    world: () => the.historyOf(the.worldWith([the.route({ parents: [] })])),
    code: "other-gateway",
    about: "UDPRoute (stunner.l7mp.io) media/calls",
    says: /has no parentRef/,
    todo: /parentRef/,
  },
  {
    what: "a Gateway API route that a native one of the same name masks",
    world: () =>
      the.historyOf(
        the.worldWith([
          the.route({ kind: "GatewayUDPRoute" }),
          the.route({ backends: [the.backend({ name: "web" })] }),
          the.service("web"),
        ]),
      ),
    code: "masked",
    about: "UDPRoute (Gateway API) media/calls",
    says: /same name/,
    todo: /rename/,
  },
  {
    what: "a GatewayClass of another controller",
    world: () => the.historyOf(the.worldWith([the.gatewayClass({ controllerName: "example.com/other" })])),
    code: "class-not-ours",
    about: "gateway media/gw",
    says: /controller example.com\/other/,
    todo: /--controller-name/,
  },
  {
    what: "a GatewayClass that does not exist",
    world: () => the.historyOf(the.worldWith([], [the.gatewayClass()])),
    code: "class-not-ours",
    about: "gateway media/gw",
    says: /GatewayClass turnpike does not exist/,
    todo: /create it/,
  },
  {
    what: "a GatewayClass without parametersRef",
    world: () => the.historyOf(the.worldWith([the.gatewayClass({ parametersRef: undefined })])),
    code: "class-not-ours",
    about: "gateway media/gw",
    says: /refers to no GatewayConfig/,
    todo: /parametersRef/,
  },
  {
    what: "a GatewayConfig that does not exist",
    world: () => the.historyOf(the.worldWith([], [the.gatewayConfig()])),
    code: "gateway-invalid",
    about: "gateway media/gw",
    says: /GatewayConfig system\/config not found/,
    todo: /GatewayConfig/,
  },
  {
    what: "a GatewayConfig that names a Dataplane which does not exist",
    world: () => the.historyOf(the.worldWith([the.gatewayConfig({ dataplane: "big" })])),
    code: "gateway-invalid",
    about: "gateway media/gw",
    says: /Dataplane big not found/,
  },
  {
    what: "credentials that are not complete",
    world: () => the.historyOf(the.worldWith([the.gatewayConfig({ password: undefined })])),
    code: "gateway-invalid",
    about: "gateway media/gw",
    says: /password|credential/i,
  },
  {
    what: "an auth Secret that does not exist",
    world: () =>
      the.historyOf(
        the.worldWith([
          the.gatewayConfig({
            userName: undefined,
            password: undefined,
            authRef: { name: "credentials", namespace: "system" },
          }),
        ]),
      ),
    code: "gateway-invalid",
    about: "gateway media/gw",
    says: /credentials/,
  },
  {
    what: "a TLS listener whose certificate does not exist",
    world: () =>
      the.historyOf(
        the.worldWith([
          the.gateway([
            the.listener({ protocol: "TURN-TLS", tls: { mode: "Terminate", certificateRefs: [{ name: "cert" }] } }),
          ]),
        ]),
      ),
    code: "listener-not-serving",
    about: "listener media/gw/udp",
    says: /cert/,
    todo: /certificate/,
  },
  {
    what: "a protocol that no TURN client speaks",
    world: () => the.historyOf(the.worldWith([the.gateway([the.listener({ protocol: "HTTP" })])])),
    code: "listener-not-serving",
    about: "listener media/gw/udp",
    says: /protocol HTTP is not supported/,
    todo: /protocol/,
  },
  {
    what: "two listeners on one port, the route at the second",
    world: () =>
      the.historyOf(
        the.worldWith([
          the.gateway([the.listener({ name: "first" }), the.listener()]),
          the.route({ parents: [{ name: "gw", sectionName: "udp" }] }),
        ]),
      ),
    code: "listener-not-serving",
    about: "listener media/gw/udp",
    says: /port 3478 is taken by listener first/,
  },
  {
    what: "no route at all",
    world: () => the.historyOf(the.worldWith([], [the.route()])),
    asked: { peer: "10.9.9.9" },
    code: "no-route",
    about: "listener media/gw/udp",
    says: /no route/,
    todo: /create a UDPRoute/,
  },
  {
    what: "a route without a backend",
    world: () => the.historyOf(the.worldWith([the.route({ backends: [] })])),
    asked: { peer: "10.9.9.9" },
    code: "no-rules",
    about: "UDPRoute (stunner.l7mp.io) media/calls",
    says: /has no backends/,
    todo: /backendRef/,
  },
  {
    what: "a backend that is no Service",
    world: () =>
      the.historyOf(the.worldWith([the.route({ backends: [the.backend({ group: "apps", kind: "Deployment" })] })])),
    code: "backend-unusable",
    about: "Deployment media/sfu",
    says: /Deployment.*apps.*not supported/,
    todo: /Service/,
  },
  {
    what: "a StaticService that does not exist",
    world: () =>
      the.historyOf(
        the.worldWith(
          [the.route({ backends: [the.backend({ group: "stunner.l7mp.io", kind: "StaticService" })] })],
          [the.slice([])],
        ),
      ),
    code: "service-missing",
    about: "StaticService media/sfu",
    says: /the StaticService does not exist/,
  },
  {
    what: "a StaticService whose prefixes do not contain the peer",
    world: () =>
      the.historyOf(
        the.worldWith(
          [
            the.route({ backends: [the.backend({ group: "stunner.l7mp.io", kind: "StaticService" })] }),
            the.staticService(["10.2.0.0/16"]),
          ],
          [the.slice([])],
        ),
      ),
    code: "no-cluster",
    about: "StaticService media/sfu",
    says: /its prefixes are 10\.2\.0\.0\/16/,
    todo: /add 10\.1\.0\.7/,
  },
  {
    what: "a pod whose Service no route names",
    world: () => the.historyOf(the.worldWith([the.service("web"), the.slice(["10.1.0.9"], { name: "web" })])),
    asked: { peer: "10.1.0.9" },
    code: "service-not-routed",
    about: "Service media/web",
    says: /one of its endpoints, but no route refers to it/,
    todo: /backendRef to Service media\/web/,
  },
  {
    what: "a peer that is the client's own public address",
    world: () => the.historyOf(the.worldWith()),
    asked: { peer: "203.0.113.9" },
    code: "no-cluster",
    about: "Service media/sfu",
    says: /its endpoints are 10\.1\.0\.7; 203\.0\.113\.9 is not one/,
  },
  {
    what: "the metadata service, though a prefix is all the world",
    world: () =>
      the.historyOf(
        the.worldWith([
          the.route({ backends: [the.backend({ group: "stunner.l7mp.io", kind: "StaticService" })] }),
          the.staticService(["0.0.0.0/0"]),
        ]),
      ),
    asked: { peer: "169.254.169.254" },
    code: "special-address",
    about: "listener media/gw/udp",
    says: /link-local/,
    todo: /StaticService/,
  },
  {
    what: "a Gateway that was deleted",
    world: () => {
      const history = the.historyOf(the.worldWith());
      history.take(the.removed(the.gateway()));
      return history;
    },
    asked: { gateway: "media/gw" },
    code: "gateway-missing",
    about: "gateway media/gw",
    says: /was deleted/,
  },
  {
    what: "a Gateway that never was",
    world: () => the.historyOf(the.worldWith()),
    asked: { gateway: "media/gateway" },
    code: "gateway-missing",
    about: "gateway media/gateway",
    says: /the Gateway does not exist/,
    todo: /--gateway/,
  },
  {
    what: "an operator that cannot list the cluster yet",
    world: () => {
      const history = createHistory(the.managed());
      history.take(...the.facts(the.worldWith()));
      return history;
    },
    code: "not-synced",
    about: "turnpike",
    says: /not all objects had been listed/,
  },
  {
    what: "endpoint discovery that is off",
    world: () => the.historyOf(the.worldWith(), the.managed({ endpointDiscovery: false })),
    code: "host-names",
    about: "listener media/gw/udp",
    says: /the dataplane resolves the host names of media\/calls/,
    todo: /turnpike status/,
  },
  {
    what: "a port of this machine that somebody else has",
    world: () => {
      const history = the.historyOf(the.worldWith(), standaloneOptions("127.0.0.1"));
      const of = { gateway: "media/gw" as Name, listener: "media/gw/udp" };
      history.take({ type: "listener.failed", data: { ...of, reason: "bind EADDRINUSE 0.0.0.0:3478" } });
      return history;
    },
    code: "listener-not-serving",
    about: "listener media/gw/udp",
    says: /EADDRINUSE/,
    todo: /free the port/,
  },
];

describe("a peer that cannot be reached is explained by", () => {
  it.each(cases)("$what", ({ world, asked, code, about, says, todo }) => {
    const { reachable, because } = ask(world(), asked);
    expect({ reachable, code: because.code, about: because.about }).toEqual({ reachable: false, code, about });
    expect(because.says).toMatch(says);
    if (todo !== undefined) expect(because.todo).toMatch(todo);
  });

  it("an endpoint that its EndpointSlice dropped, with the event that did it, and not before", () => {
    const history = the.historyOf(the.worldWith());
    const before = history.lines.at(-1)!.time;
    history.take(...the.facts([the.slice(["10.1.0.8"])]));
    const edit = history.lines.findLast(({ type }) => type === "object.seen")!;
    const { because } = ask(history);
    expect(because).toMatchObject({ code: "revoked", about: "endpoint media/sfu#10.1.0.7" });
    expect(because.says).toMatch(new RegExp(`event ${edit.seq} \\(seen EndpointSlice/media/sfu-1\\)`));
    expect(because.events).toContain(edit.seq);
    expect(ask(history, {}, before).reachable).toBe(true);
  });
});

describe("a peer that can be reached", () => {
  it("is, by the endpoint that admits it", () => {
    const { reachable, because } = ask(the.historyOf(the.worldWith()), { port: 5000 });
    expect(reachable).toBe(true);
    expect(because.says).toMatch(/clients can reach 10\.1\.0\.7 port 5000: endpoint 10\.1\.0\.7 of media\/calls/);
  });

  it("is, while its pod is terminating", () => {
    const history = the.historyOf(the.worldWith());
    history.take(...the.facts([the.slice(["10.1.0.7"], { terminating: true })]));
    const { reachable, because } = ask(history);
    expect(reachable).toBe(true);
    expect(because.says).toMatch(/terminating: until it is removed/);
  });

  it("is, across namespaces by a ReferenceGrant", () => {
    const { reachable } = ask(
      the.historyOf(
        the.worldWith([
          the.route({ kind: "GatewayUDPRoute", name: "across", backends: [the.backend({ namespace: "other" })] }),
          the.service("sfu", "other"),
          the.slice(["10.1.0.9"], { namespace: "other" }),
          the.grant(),
        ]),
      ),
      { peer: "10.1.0.9" },
    );
    expect(reachable).toBe(true);
  });
});

describe("a dataplane, which knows configs alone", () => {
  const told = (): History => {
    const history = createHistory({ ...standaloneOptions("127.0.0.1"), mode: "dataplane" });
    const spec = {
      version: "v1",
      admin: { name: "media/gw" },
      auth: { type: "static", credentials: { username: "u", password: "p" } },
      listeners: [
        { name: "media/gw/udp", protocol: "TURN-UDP", address: "127.0.0.1", port: 3478, routes: ["media/calls"] },
      ],
      clusters: [
        { name: "media/calls", type: "STATIC", protocol: "UDP", endpoints: ["10.1.0.7"] },
        { name: "media/else", type: "STATIC", protocol: "UDP", endpoints: ["10.1.0.9"] },
      ],
    };
    history.take(
      ...the.facts([
        [
          "DataplaneConfig",
          { apiVersion: "v1", kind: "DataplaneConfig", metadata: { namespace: "media", name: "gw" }, spec },
        ],
      ]),
      { type: "objects.synced", data: { objects: 1 } },
    );
    return history;
  };

  it("says so where a cluster of the listener has the peer, where another has it, and where none has", () => {
    const history = told();
    expect(ask(history).reachable).toBe(true);
    expect(ask(history, { peer: "10.1.0.9" }).because).toMatchObject({
      code: "other-gateway",
      about: "listener media/gw/udp",
    });
    expect(ask(history, { peer: "10.1.0.1" }).because).toMatchObject({ code: "no-cluster" });
  });
});

describe("an object", () => {
  it("is explained by its conditions, its machines and the events behind them", () => {
    const history = the.historyOf(the.worldWith());
    history.take(the.removed(the.service()), the.removed(the.slice([])));
    const at = past(history.lines);
    const answer = explainObject(at, "UDPRoute", "media/calls" as Name);
    expect(answer.conditions).toContainEqual({
      of: "parent gw",
      type: "ResolvedRefs",
      status: "False",
      reason: "BackendNotFound",
      message: expect.stringMatching(/media\/sfu/),
    });
    expect(answer.moves).toHaveLength(1);
    expect(answer.moves[0]?.move.data).toMatchObject({ machine: "route", to: "degraded" });
    expect(answer.moves[0]?.chain.at(-2)?.says).toMatch(/^gone/);
    const gateway = explainObject(at, "Gateway", "media/gw" as Name);
    expect(gateway.conditions.map(({ of }) => of)).toEqual(expect.arrayContaining(["media/gw", "media/gw/udp"]));
    expect(explainObject(at, "Gateway", "media/none" as Name)).toMatchObject({ exists: false, conditions: [] });
  });
});
