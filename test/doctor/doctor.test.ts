/** An installation in which all is well, with one thing wrong each time, and what `turnpike doctor` says of it. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { argumentsOf, isOperator, type DeploymentObject } from "../../src/cli/doctor-evidence.ts";
import { worldOf } from "../../src/cli/world.ts";
import type { Call, DataplanePod, Definition, Evidence, OperatorDeployment } from "../../src/doctor/evidence.ts";
import { diagnose, type Diagnosis } from "../../src/doctor/doctor.ts";
import { differences } from "../../src/doctor/dataplanes.ts";
import { operatorArguments } from "../../src/doctor/operator-arguments.ts";
import { peerOf } from "../../src/doctor/calls.ts";
import { problems } from "../../src/doctor/problem.ts";
import type { Name } from "../../src/resources/keys.ts";
import { findKind, kinds, type AnyObject, type KindId } from "../../src/resources/kinds.ts";
import { DEFAULT_CONTROLLER_NAME, GATEWAY_API_GROUP, STUNNER_GROUP } from "../../src/resources/names.ts";
import type { RenderOptions } from "../../src/resources/view.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { backends, gateway, gatewayClass, listener, slice, world, type Manifest } from "../lint/world.ts";
import { dataplane } from "../support/manifests.ts";

const GATEWAY = "media/gateway" as Name;

const condition = (type: string, status: string, message = "as scripted") => ({
  type,
  status,
  reason: "Test",
  message,
  observedGeneration: 1,
});
const withStatus = (object: Manifest, status: object): Manifest => ({
  ...object,
  metadata: { ...object.metadata, generation: 1 } as Manifest["metadata"],
  status,
});

const aClass = (accepted?: string): Manifest =>
  withStatus(gatewayClass(), accepted === undefined ? {} : { conditions: [condition("Accepted", accepted)] });
const aGateway = (status: object = {}, object = gateway()): Manifest =>
  withStatus(object, {
    addresses: [{ type: "IPAddress", value: "192.0.2.1" }],
    conditions: [condition("Accepted", "True"), condition("Programmed", "True")],
    ...status,
  });
const balancer = (ingress: readonly object[] = [{ ip: "192.0.2.1" }]): Manifest => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: {
    name: "gateway",
    namespace: "media",
    annotations: { "stunner.l7mp.io/related-gateway-name": GATEWAY },
    labels: { "stunner.l7mp.io/owned-by": "stunner" },
    ownerReferences: [{ apiVersion: "v1", kind: "Gateway", name: "gateway", uid: "" }],
  } as Manifest["metadata"],
  spec: { type: "LoadBalancer", ports: [{ name: "udp", port: 3478, protocol: "UDP" }] },
  status: { loadBalancer: { ingress } },
});

const definitions: readonly Definition[] = kinds
  .filter(({ group }) => group === GATEWAY_API_GROUP || group === STUNNER_GROUP)
  .map((kind) => ({ kind, isPresent: true, isEstablished: true, served: kind.versions }));
const defined = (id: KindId, more: Partial<Definition>): readonly Definition[] =>
  definitions.map((one) => (one.kind.id === id ? { ...one, ...more } : one));

const pod = (more: Partial<DataplanePod> = {}): DataplanePod => ({
  namespace: "media",
  name: "gateway-1",
  isReady: true,
  why: "Running",
  ...more,
});
const ofGateway = (...pods: readonly DataplanePod[]): ReadonlyMap<Name, readonly DataplanePod[]> =>
  new Map([[GATEWAY, pods]]);
const deployment = (more: Partial<OperatorDeployment> = {}): OperatorDeployment => ({
  name: "turnpike-system/turnpike" as Name,
  controllerName: DEFAULT_CONTROLLER_NAME,
  readyPods: 1,
  desiredPods: 1,
  pods: [pod({ namespace: "turnpike-system", name: "turnpike-1" })],
  lease: { name: "turnpike-system/turnpike" as Name, holder: "turnpike-1" },
  ...more,
});
const call = (failure?: Call["failure"]): Evidence["calls"] => ({
  made: [
    {
      listener: "media/gateway/udp",
      uri: "turn:192.0.2.1:3478?transport=udp",
      milliseconds: 12,
      ...(failure === undefined ? { relayed: "10.1.2.9:50000", peer: "10.1.2.3" } : { failure }),
    },
  ],
});

interface Change extends Partial<Omit<Evidence, "world">> {
  readonly objects?: readonly Manifest[];
  readonly removed?: readonly string[];
  readonly options?: Partial<RenderOptions>;
}

const evidence = ({ objects = [], removed = [], options = {}, ...more }: Change = {}): Evidence => {
  const well = [aClass("True"), aGateway(), balancer(), dataplane() as unknown as Manifest, slice("10.1.2.3")];
  const seen = world(
    [...well, ...objects].filter(({ kind }) => !removed.includes(kind)),
    removed,
  ).map((object) => ({
    kind: findKind(object.apiVersion, object.kind)!.id,
    object: object as unknown as AnyObject,
  }));
  const { core } = worldOf(seen, [], operatorOptions(options), false);
  return {
    server: { isReached: true, url: "https://192.0.2.9:6443", version: "v1.34.4" },
    controllerName: DEFAULT_CONTROLLER_NAME,
    refusals: [],
    definitions,
    operators: [deployment()],
    world: { view: core.view, options: core.options, rendered: core.rendered, hasEndpoints: true, now: Date.now() },
    events: new Map(),
    pods: ofGateway(pod()),
    calls: call(),
    ...more,
  };
};

const running = () => evidence().world!.rendered(GATEWAY)!.config!;

const outcomes = (all: readonly Diagnosis[]): string =>
  all.map(({ check, outcome }) => `${check} ${outcome}`).join(", ");
const found = (all: readonly Diagnosis[]): readonly string[] =>
  all.flatMap(({ check, problems }) =>
    problems.map(({ code, object, says }) => `${check}: ${code} ${object}: ${says}`),
  );

type Prepared = readonly [what: string, change: Change, ...says: readonly string[]];

const wrong: readonly Prepared[] = [
  [
    "an API server that does not answer",
    { server: { isReached: false, url: "https://192.0.2.9:6443", reason: "connect ECONNREFUSED" } },
    "api-server: api-unreachable https://192.0.2.9:6443: connect ECONNREFUSED",
  ],
  [
    "Secrets that may not be listed",
    { refusals: [{ kind: "Secret", message: "secrets is forbidden" }] },
    "api-server: read-forbidden secrets: it cannot be listed: secrets is forbidden",
  ],
  [
    "Gateways that may not be listed",
    { refusals: [{ kind: "Gateway", message: "forbidden" }] },
    "api-server: read-forbidden gateways.gateway.networking.k8s.io: it cannot be listed: forbidden",
  ],
  [
    "Nodes that may not be listed",
    { refusals: [{ kind: "Node", message: "forbidden" }] },
    "api-server: read-limited nodes: it cannot be listed: forbidden",
  ],
  [
    "no Gateway API",
    { definitions: defined("Gateway", { isPresent: false }) },
    "crds: gateway-api-missing CustomResourceDefinition/gateways.gateway.networking.k8s.io: it does not exist",
  ],
  [
    "a CRD of ours that is missing",
    { definitions: defined("StaticService", { isPresent: false }) },
    "crds: crd-missing CustomResourceDefinition/staticservices.stunner.l7mp.io: it does not exist",
  ],
  [
    "a CRD that is not established",
    { definitions: defined("UDPRoute", { isEstablished: false }) },
    "crds: crd-not-established CustomResourceDefinition/udproutes.stunner.l7mp.io: it does not have the condition Established",
  ],
  [
    "a CRD of an old version",
    { definitions: defined("Gateway", { served: ["v1beta1"] }) },
    "crds: crd-version CustomResourceDefinition/gateways.gateway.networking.k8s.io: it serves v1beta1; Turnpike reads v1",
  ],
  [
    "no operator",
    { operators: [], objects: [aClass()] },
    "operator: operator-missing stunner.l7mp.io/gateway-operator: no Deployment has this controller name",
  ],
  [
    "an operator of another name",
    { operators: [deployment({ controllerName: "example.org/staging" })], objects: [aClass()] },
    "operator: operator-missing stunner.l7mp.io/gateway-operator: no Deployment has this controller name; Deployment turnpike-system/turnpike has the controller name example.org/staging",
  ],
  [
    "an operator outside the cluster",
    { operators: [] },
    "operator: operator-outside GatewayClass/media: it is accepted by stunner.l7mp.io/gateway-operator",
  ],
  [
    "an operator that is not ready",
    {
      operators: [
        deployment({
          readyPods: 0,
          pods: [pod({ namespace: "turnpike-system", name: "turnpike-1", isReady: false, why: "ImagePullBackOff" })],
        }),
      ],
    },
    "operator: operator-not-ready Pod/turnpike-system/turnpike-1: it is not ready: ImagePullBackOff",
  ],
  [
    "an operator without pods",
    { operators: [deployment({ readyPods: 0, pods: [] })] },
    "operator: operator-not-ready Deployment/turnpike-system/turnpike: it has no ready pod",
  ],
  [
    "a Lease without a holder",
    { operators: [deployment({ lease: { name: "turnpike-system/turnpike" as Name, holder: "" } })] },
    "operator: lease-unheld Lease/turnpike-system/turnpike: it has no holder",
  ],
  [
    "no class",
    { removed: ["GatewayClass"] },
    "gateway-class: no-class stunner.l7mp.io/gateway-operator: no GatewayClass has this controllerName",
  ],
  [
    "a class of another controller",
    {
      controllerName: "example.org/ours",
      options: { controllerName: "example.org/ours" },
      operators: [deployment({ controllerName: "example.org/ours" })],
    },
    "gateway-class: no-class-of-ours GatewayClass/media: its controllerName is stunner.l7mp.io/gateway-operator, ours is example.org/ours",
    "gateway-class: config-unused GatewayConfig/media/config: no class of ours names it",
  ],
  [
    "no GatewayConfig",
    { removed: ["GatewayConfig"] },
    "gateway-class: class-invalid GatewayClass/media: GatewayConfig media/config not found",
  ],
  [
    "no Dataplane",
    { removed: ["Dataplane"] },
    "gateway-class: class-invalid GatewayClass/media: Dataplane default not found",
  ],
  [
    "a class without parameters",
    { objects: [withStatus(gatewayClass({ parametersRef: undefined }), {})], operators: [deployment()] },
    "gateway-class: class-parameters GatewayClass/media: it has no parametersRef",
    "gateway-class: config-unused GatewayConfig/media/config: no class of ours names it",
  ],
  [
    "a class that is not accepted yet",
    { objects: [aClass()] },
    "gateway-class: class-not-accepted GatewayClass/media: it has no condition Accepted",
  ],
  [
    "a class that is not accepted",
    { objects: [aClass("False")] },
    "gateway-class: class-not-accepted GatewayClass/media: Accepted is False: as scripted",
  ],
  [
    "no Gateway",
    { removed: ["Gateway", "UDPRoute"] },
    "gateways: no-gateway Gateway: no Gateway is of a GatewayClass of this controller",
  ],
  [
    "a Gateway that does not exist",
    { only: "media/other" as Name },
    "gateways: no-gateway Gateway/media/other: it does not exist, or is not of this controller",
  ],
  [
    "a Gateway whose credentials are missing",
    {
      objects: [
        {
          apiVersion: "stunner.l7mp.io/v1",
          kind: "GatewayConfig",
          metadata: { name: "config", namespace: "media" },
          spec: { authRef: { name: "credentials" } },
        },
      ],
    },
    expect.stringMatching(/^gateways: gateway-invalid Gateway\/media\/gateway: .*media\/credentials/) as never,
  ],
  [
    "a Gateway without a status",
    { objects: [withStatus(gateway(), {})] },
    "gateways: gateway-not-processed Gateway/media/gateway: it has no condition Accepted",
  ],
  [
    "a Gateway that was changed",
    { objects: [{ ...aGateway(), metadata: { ...aGateway().metadata, generation: 2 } as Manifest["metadata"] }] },
    "gateways: gateway-not-processed Gateway/media/gateway: its conditions are of generation 1, the object is of 2",
  ],
  [
    "a Gateway that is not accepted",
    { objects: [aGateway({ conditions: [condition("Accepted", "False")] })] },
    "gateways: gateway-not-accepted Gateway/media/gateway: Accepted is False: as scripted",
  ],
  [
    "a Gateway that is not programmed",
    {
      objects: [aGateway({ conditions: [condition("Accepted", "True"), condition("Programmed", "False")] })],
    },
    "gateways: gateway-not-programmed Gateway/media/gateway: Programmed is False: as scripted",
  ],
  [
    "a load balancer without an address",
    { objects: [aGateway({ addresses: [] }), balancer([])] },
    "gateways: address-pending Service/media/gateway: its load balancer has no address, and no Event says why",
  ],
  [
    "a load balancer that fails",
    {
      objects: [aGateway({ addresses: [] }), balancer([])],
      events: new Map([[GATEWAY, ["Failed: quota", "Ensuring: it"]]]),
    },
    "gateways: address-pending Service/media/gateway: its load balancer has no address: Failed: quota; Ensuring: it",
  ],
  [
    "a listener of another protocol",
    { objects: [aGateway({}, gateway([listener("udp", "TURN-UDP", 3478), listener("http", "HTTP", 80)]))] },
    expect.stringMatching(/^gateways: listener-protocol Gateway\/media\/gateway\/http: /) as never,
  ],
  [
    "a misspelt annotation",
    { objects: [aGateway({}, gateway(undefined, { "stunner.l7mp.io/node-port": "{}" }))] },
    "gateways: annotation-unknown Gateway/media/gateway: stunner.l7mp.io/node-port",
  ],
  [
    "no route",
    { removed: ["UDPRoute"] },
    "routes: no-route Gateway/media/gateway: no route is attached to any of its listeners",
  ],
  [
    "a route to a Service that does not exist",
    { objects: [backends({ name: "nothing" })] },
    "routes: backend-missing UDPRoute.stunner.l7mp.io/media/route: Service media/nothing is not there",
  ],
  [
    "a Service without endpoints",
    { removed: ["EndpointSlice"] },
    "routes: backend-missing UDPRoute.stunner.l7mp.io/media/route: Service media/server has no endpoints",
  ],
  [
    "a route that the operator does not accept",
    {
      objects: [
        withStatus(backends({ name: "server" }), {
          parents: [
            {
              controllerName: DEFAULT_CONTROLLER_NAME,
              parentRef: { name: "gateway" },
              conditions: [condition("Accepted", "True"), condition("ResolvedRefs", "False", "no ReferenceGrant")],
            },
            {
              controllerName: "example.org/other",
              parentRef: { name: "other" },
              conditions: [condition("Accepted", "False")],
            },
          ],
        }),
      ],
    },
    "routes: route-status UDPRoute.stunner.l7mp.io/media/route: ResolvedRefs is False for Gateway gateway: no ReferenceGrant",
  ],
  [
    "a StaticService without prefixes",
    {
      objects: [
        backends({ group: STUNNER_GROUP, kind: "StaticService", name: "static" }),
        {
          apiVersion: "stunner.l7mp.io/v1",
          kind: "StaticService",
          metadata: { name: "static", namespace: "media" },
          spec: { prefixes: [] },
        },
      ],
    },
    "routes: no-endpoint Gateway/media/gateway: media/route: no endpoint",
  ],
  [
    "no dataplane pod",
    { pods: ofGateway() },
    "dataplanes: dataplane-missing Gateway/media/gateway: it has no dataplane pod",
  ],
  [
    "a dataplane pod that does not start",
    { pods: ofGateway(pod({ isReady: false, why: "Pending, ErrImagePull" })) },
    "dataplanes: dataplane-not-ready Pod/media/gateway-1: a dataplane of Gateway media/gateway, it is not ready: Pending, ErrImagePull",
  ],
  [
    "a second dataplane pod that does not start",
    { pods: ofGateway(pod(), pod({ name: "gateway-2", isReady: false, why: "Pending" })) },
    "dataplanes: dataplane-partly-ready Pod/media/gateway-2: a dataplane of Gateway media/gateway, it is not ready: Pending",
  ],
  [
    "a dataplane with an old config",
    { pods: ofGateway(pod({ answer: { status: { ...running(), clusters: [] } } })) },
    "configs: dataplane-config-differs Pod/media/gateway-1: the list of routes is none, expected media/route",
  ],
  [
    "a dataplane that does not answer",
    {
      pods: ofGateway(
        pod({ answer: { status: running() } }),
        pod({ name: "gateway-2", answer: { reason: "it answered 500" } }),
      ),
    },
    "configs: dataplane-silent Pod/media/gateway-2: it answered 500",
  ],
  [
    "a listener that does not answer",
    { calls: call({ step: "allocate", kind: "unanswered", says: "no answer within 3000 ms" }) },
    "calls: call-unanswered Gateway/media/gateway/udp: turn:192.0.2.1:3478?transport=udp: allocate: no answer within 3000 ms",
  ],
  [
    "a certificate that is not trusted",
    { calls: call({ step: "connect", kind: "certificate", says: "self-signed certificate" }) },
    "calls: call-certificate Gateway/media/gateway/udp: turn:192.0.2.1:3478?transport=udp: connect: self-signed certificate",
  ],
  [
    "a listener that rejects an allocation",
    { calls: call({ step: "allocate", kind: "refused", says: "allocate was refused with 401" }) },
    "calls: call-refused Gateway/media/gateway/udp: turn:192.0.2.1:3478?transport=udp: allocate: allocate was refused with 401",
  ],
];

describe("turnpike doctor", () => {
  it("finds nothing where all is well", () => {
    const all = diagnose(evidence({ pods: ofGateway(pod({ answer: { status: running() } })) }));
    expect(found(all)).toEqual([]);
    expect(new Set(all.map(({ outcome }) => outcome))).toEqual(new Set(["ok"]));
    expect(all.at(-1)?.details).toEqual([
      "media/gateway/udp: turn:192.0.2.1:3478?transport=udp: allocated 10.1.2.9:50000, permission for 10.1.2.3, in 12 ms",
    ]);
  });

  it.each(wrong.map(([what, change, ...says]) => ({ what, change, says })))("finds $what", ({ change, says }) => {
    const all = diagnose(evidence(change));
    expect(found(all)).toEqual(says);
    for (const { problems } of all) for (const { todo } of problems) expect(todo.length).toBeGreaterThan(5);
  });

  it("has an installation for every code", () => {
    const text = JSON.stringify(wrong.map(([, change]) => found(diagnose(evidence(change)))));
    expect(Object.keys(problems).filter((code) => !text.includes(`: ${code} `))).toEqual([]);
  });

  it("skips what depends on a failed check, and names the first that failed", () => {
    const all = diagnose(evidence({ definitions: defined("Gateway", { isPresent: false }), operators: [] }));
    expect(outcomes(all)).toBe(
      "api-server ok, crds failed, operator skipped, gateway-class skipped, gateways skipped, routes skipped, dataplanes skipped, configs skipped, calls skipped",
    );
    expect(all.filter(({ outcome }) => outcome === "skipped").map(({ says }) => says)).toEqual(
      Array(7).fill("CRDs failed"),
    );
  });

  it("goes on after a warning", () => {
    const all = diagnose(evidence({ operators: [] }));
    expect(outcomes(all)).toContain("operator warning, gateway-class ok, gateways ok, routes ok");
  });

  it.each([
    ["the Gateway API's UDPRoute", "GatewayUDPRoute"],
    ["ReferenceGrant", "ReferenceGrant"],
  ] as const)("does without %s", (_, id) => {
    expect(found(diagnose(evidence({ definitions: defined(id, { isPresent: false }) })))).toEqual([]);
  });

  it("says why it skips checks that do not apply", () => {
    const skipped = (change: Change) =>
      Object.fromEntries(
        diagnose(evidence(change))
          .filter(({ outcome }) => outcome === "skipped")
          .map(({ check, says }) => [check, says]),
      );
    expect(skipped({ calls: { skipped: "--no-call" } })).toMatchObject({ calls: "--no-call" });
    expect(skipped({ calls: { made: [] } })).toMatchObject({
      calls: "no listener has a public address: see Gateways",
    });
    expect(skipped({ pods: { skipped: "pods cannot be listed" } })).toMatchObject({
      dataplanes: "pods cannot be listed",
      configs: "pods cannot be listed",
    });
    expect(skipped({ pods: ofGateway(pod({ answer: { reason: "it answered 403" } })) })).toEqual({
      configs: "no pod can be asked through the API server: it answered 403",
    });
    expect(
      skipped({
        objects: [aGateway({}, gateway(undefined, { "stunner.l7mp.io/disable-managed-dataplane": "true" }))],
      }),
    ).toMatchObject({ dataplanes: expect.stringContaining("user-managed") });
    expect(skipped({ options: { mode: "legacy" } })).toMatchObject({
      dataplanes: "in legacy mode the operator runs no dataplanes",
    });
  });

  it("leaves out other Gateways and their routes with --gateway", () => {
    const objects = [
      aGateway({}, gateway(undefined, { "stunner.l7mp.io/node-port": "{}" }, "second")),
      backends({ name: "nothing" }),
    ];
    expect(found(diagnose(evidence({ objects, only: "media/second" as Name, pods: new Map() })))).toEqual([
      expect.stringMatching(/^gateways: annotation-unknown Gateway\/media\/second: /),
      expect.stringMatching(/^routes: no-route Gateway\/media\/second: /),
      expect.stringMatching(/^dataplanes: dataplane-missing Gateway\/media\/second: /),
    ]);
  });

  it("asks for no route where only STUN is served", () => {
    const stun: Manifest = {
      apiVersion: "stunner.l7mp.io/v1",
      kind: "GatewayConfig",
      metadata: { name: "config", namespace: "media" },
      spec: { stunMode: true },
    };
    const all = diagnose(evidence({ objects: [stun], removed: ["UDPRoute"] }));
    expect(found(all).filter((one) => one.includes("no-route"))).toEqual([]);
  });
});

describe("the comparison of configs", () => {
  it("finds each difference, and does not see the form of endpoints and placeholders", () => {
    const config = running();
    const [udp] = config.listeners!;
    expect(differences(config, config)).toEqual([]);
    expect(differences({ ...config, listeners: [{ ...udp!, public_address: "$NODE" }] }, config)).toEqual([]);
    const changed = {
      auth: { type: "ephemeral", realm: "other" },
      listeners: [{ ...udp!, port: 1, protocol: "TURN-TCP", public_address: "192.0.2.7", routes: [] }],
      clusters: [{ name: "media/route", endpoints: ["10.9.9.9"] }],
    };
    expect(differences(config, changed)).toEqual([
      "authentication is ephemeral, expected static",
      "realm is other, expected stunner.l7mp.io",
      "protocol of media/gateway/udp is TURN-TCP, expected TURN-UDP",
      "port of media/gateway/udp is 1, expected 3478",
      "routes of media/gateway/udp is none, expected media/route",
      "public address of media/gateway/udp is 192.0.2.7, expected 192.0.2.1",
      "endpoints of media/route is 10.9.9.9, expected 10.1.2.3",
    ]);
  });
});

describe("a peer for the test", () => {
  it.each([
    [["2001:db8::1", "10.0.0.0/8", "10.0.0.7"], "10.0.0.7"],
    [["10.0.0.7:<9000-9001>"], "10.0.0.7"],
    [["2001:db8::1:<9000-9001>"], "2001:db8::1"],
    [["10.0.0.0/8"], undefined],
    [[], undefined],
  ])("of %j is %s", (endpoints, peer) => {
    const cluster = { name: "media/route", type: "STATIC", protocol: "UDP", endpoints } as const;
    const config = { ...running(), clusters: [cluster] };
    expect(peerOf(config, config.listeners![0]!)).toBe(peer);
  });
});

describe("the operator of the chart", () => {
  it("is found by its labels, and understood by its arguments", () => {
    const manifests = parseAllDocuments(
      readFileSync(new URL("../../deploy/manifests/turnpike.yaml", import.meta.url), "utf8"),
    );
    const [deployment, ...more] = manifests
      .map((document) => document.toJS() as DeploymentObject & { readonly kind: string })
      .filter(({ kind }) => kind === "Deployment")
      .filter(isOperator);
    expect(more).toEqual([]);
    expect(argumentsOf(deployment!)).toMatchObject({
      controllerName: DEFAULT_CONTROLLER_NAME,
      lease: "turnpike",
      options: { mode: "managed", endpointDiscovery: true, clusterDomain: "cluster.local" },
    });
  });
});

describe("the arguments of an operator", () => {
  it("are those of the chart", () => {
    const args = [
      "operator",
      "--controller-name=example.org/staging",
      "--dataplane-mode=legacy",
      "--endpoint-discovery=false",
      "--cluster-domain=k8s.example.org",
      "--disable-endpointslice-controller",
      "--require-reference-grants",
      "--embedded",
      "--embedded-selector=a=b,c=d",
      "--leader-elect",
      "--leader-election-id=turnpike",
    ];
    expect(operatorArguments(args, "media")).toEqual({
      controllerName: "example.org/staging",
      lease: "turnpike",
      options: {
        mode: "legacy",
        endpointDiscovery: false,
        endpointSource: "Endpoints",
        requireReferenceGrants: true,
        clusterDomain: "k8s.example.org",
        embedded: { namespace: "media", selector: { a: "b", c: "d" } },
      },
    });
    expect(operatorArguments([], "media")).toMatchObject({
      controllerName: DEFAULT_CONTROLLER_NAME,
      options: { mode: "managed", endpointDiscovery: true, endpointSource: "EndpointSlice" },
    });
  });
});
