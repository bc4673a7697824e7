/** Prepared worlds, each with one thing wrong, and what `turnpike lint` says of it. */
import { describe, expect, it } from "vitest";
import { worldOfDirectory } from "../../src/cli/world.ts";
import { findings } from "../../src/lint/finding.ts";
import { makeCertificate } from "../support/certificate.ts";
import { lint } from "../../src/lint/lint.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import {
  backends,
  gateway,
  gatewayClass,
  gatewayConfig,
  inFolder,
  listener,
  route,
  service,
  slice,
  staticService,
  toStatic,
  world,
  type Manifest,
} from "./world.ts";

const found = (
  objects: readonly Manifest[],
  requireReferenceGrants = false,
  now = Date.now(),
): Promise<readonly string[]> =>
  inFolder(objects, async (folder) => {
    const { core, rejections } = await worldOfDirectory(folder, operatorOptions({ requireReferenceGrants }));
    expect(rejections).toEqual([]);
    const { view, options } = core;
    return lint({ view, options, rendered: core.rendered, hasEndpoints: false, now }).map(
      ({ code, object, says }) => `${code} ${object}: ${says}`,
    );
  });

const NATIVE = "UDPRoute.stunner.l7mp.io/media/route";
const tls = (more: object) => listener("tls", "TURN-TLS", 443, { tls: { mode: "Terminate", ...more } });
const secret = (data: object): Manifest => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "certificate", namespace: "media" },
  data,
});
const certificate = makeCertificate();
const annotated = (annotations: Readonly<Record<string, string>>, ...listeners: readonly unknown[]): Manifest =>
  gateway(
    listeners.length === 0 ? undefined : listeners,
    Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`stunner.l7mp.io/${key}`, value])),
  );

type Prepared = readonly [what: string, objects: readonly Manifest[], ...says: readonly string[]];

const worlds: readonly Prepared[] = [
  ["nothing", world()],
  ["nothing, without EndpointSlices", world([], ["EndpointSlice"])],
  [
    "a class that is not there",
    world([gateway(undefined, {}, "gateway", "other")]),
    "class-missing Gateway/media/gateway: GatewayClass other is not there",
  ],
  [
    "a Service of the Gateway's name",
    world([service({}, "gateway")]),
    "name-taken Gateway/media/gateway: Service/media/gateway is not the Gateway's",
  ],
  [
    "nothing: a user-managed dataplane has the Gateway's name",
    world([
      annotated({ "disable-managed-dataplane": "true" }),
      { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "gateway", namespace: "media" } },
    ]),
  ],
  [
    "a Deployment of the Gateway's name",
    world([{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "gateway", namespace: "media" } }]),
    "name-taken Gateway/media/gateway: Deployment/media/gateway is not the Gateway's",
  ],
  [
    "a controller of another name",
    world([gatewayClass({ controllerName: "example.com/other" })]),
    "no-class-of-ours GatewayClass/media: its controllerName is example.com/other, ours is stunner.l7mp.io/gateway-operator",
    "config-unused GatewayConfig/media/config: no class of ours names it",
    "class-of-another Gateway/media/gateway: GatewayClass media is of example.com/other",
  ],
  [
    "no parametersRef",
    world([gatewayClass({ parametersRef: undefined })]),
    "class-parameters GatewayClass/media: it has no parametersRef",
    "config-unused GatewayConfig/media/config: no class of ours names it",
  ],
  [
    "a parametersRef without namespace",
    world([gatewayClass({ parametersRef: { group: "stunner.l7mp.io", kind: "GatewayConfig", name: "config" } })]),
    'class-parameters GatewayClass/media: its parametersRef has group "stunner.l7mp.io", kind "GatewayConfig", name "config", namespace ""',
    "config-unused GatewayConfig/media/config: no class of ours names it",
  ],
  [
    "no GatewayConfig",
    world([], ["GatewayConfig"]),
    "gateway-invalid Gateway/media/gateway: GatewayConfig media/config not found",
  ],
  [
    "a GatewayConfig that nobody names",
    world([gatewayConfig({}, "another")]),
    "config-unused GatewayConfig/media/another: no class of ours names it",
  ],
  [
    "no password",
    world([gatewayConfig({ authType: "static", userName: "user-1" })]),
    "gateway-invalid Gateway/media/gateway: GatewayConfig media/config needs a user name and a password for static authentication",
  ],
  [
    "no shared secret",
    world([gatewayConfig({ authType: "ephemeral" })]),
    "gateway-invalid Gateway/media/gateway: GatewayConfig media/config needs a shared secret for ephemeral authentication",
  ],
  [
    "an authRef to nothing",
    world([gatewayConfig({ authRef: { name: "auth" } })]),
    "gateway-invalid Gateway/media/gateway: Secret media/auth not found",
  ],
  [
    "a Dataplane that is not there",
    world([gatewayConfig({ dataplane: "large", userName: "user-1", password: "pass-1" })]),
    "gateway-invalid Gateway/media/gateway: Dataplane large not found",
  ],
  [
    "a protocol of the web",
    world([gateway([listener("udp", "TURN-UDP", 3478), listener("web", "HTTP", 80)])]),
    "listener-protocol Gateway/media/gateway/web: protocol HTTP is not supported",
  ],
  [
    "two listeners at a port",
    world([gateway([listener("udp", "TURN-UDP", 3478), listener("dtls", "TURN-DTLS", 3478)])]),
    "listener-conflict Gateway/media/gateway/dtls: UDP port 3478 is taken by listener udp",
  ],
  [
    "TLS without a certificate",
    world([gateway([tls({ options: { a: "b" } })])]),
    "listener-certificate Gateway/media/gateway/tls: no certificateRefs",
  ],
  [
    "a certificate that is not there",
    world([gateway([tls({ certificateRefs: [{ name: "certificate" }] })])]),
    "listener-certificate Gateway/media/gateway/tls: Secret media/certificate not found",
  ],
  [
    "a certificate without its key",
    world([gateway([tls({ certificateRefs: [{ name: "certificate" }] })]), secret({ "tls.crt": "eA==" })]),
    "listener-certificate Gateway/media/gateway/tls: Secret media/certificate has no certificate or no key",
  ],
  [
    "a certificate of another key",
    world([
      gateway([tls({ certificateRefs: [{ name: "certificate" }] })]),
      secret({ "tls.crt": certificate.cert64, "tls.key": makeCertificate().key64 }),
    ]),
    "listener-certificate Gateway/media/gateway/tls: Secret media/certificate: the private key does not match the certificate",
  ],
  [
    "a certificate that cannot be read",
    world([
      gateway([tls({ certificateRefs: [{ name: "certificate" }] })]),
      secret({ "tls.crt": "eA==", "tls.key": certificate.key64 }),
    ]),
    "listener-certificate Gateway/media/gateway/tls: Secret media/certificate: the certificate cannot be read",
  ],
  [
    "a Gateway whose name no Service can have",
    world([gateway(undefined, {}, "my.gateway"), route({ parentRefs: [{ name: "my.gateway" }] })]),
    "object-name Gateway/media/my.gateway: the Gateway's Service cannot be named media/my.gateway: only a-z, 0-9 and - are allowed, from a letter at its start to a letter or digit at its end",
    "listener-without-routes Gateway/media/gateway/udp: no route is attached",
  ],
  [
    "a listener whose name no port can have",
    world([gateway([listener("media.udp", "TURN-UDP", 3478), listener("udp", "TURN-UDP", 3479)])]),
    "listener-name Gateway/media/gateway/media.udp: no port of the Gateway's Service can be named media.udp: only a-z, 0-9 and - are allowed, between letters or digits",
  ],
  [
    "TLS that is passed through",
    world([gateway([listener("tls", "TURN-TLS", 443, { tls: { mode: "Passthrough" } })])]),
    "listener-certificate Gateway/media/gateway/tls: TLS mode Passthrough is not supported",
  ],
  [
    "UDP and TCP on one load balancer",
    world([gateway([listener("udp", "TURN-UDP", 3478), listener("tcp", "TURN-TCP", 3478)])]),
    "listener-not-exposed Gateway/media/gateway/tcp: TURN-TCP port 3478 is not in the Service",
  ],
  [
    "nothing, where that is allowed",
    world([
      annotated(
        { "enable-mixed-protocol-lb": "true" },
        listener("udp", "TURN-UDP", 3478),
        listener("tcp", "TURN-TCP", 3478),
      ),
    ]),
  ],
  [
    "one target port for two",
    world([
      annotated(
        { targetport: '{"second": 3478}' },
        listener("udp", "TURN-UDP", 3478),
        listener("second", "TURN-UDP", 3479),
      ),
    ]),
    "target-port-conflict Gateway/media/gateway/second: UDP port 3478 is bound by listener udp",
  ],
  [
    "an annotation that is misspelt",
    world([annotated({ "node-port": '{"udp": 30000}' })]),
    "annotation-unknown Gateway/media/gateway: stunner.l7mp.io/node-port",
  ],
  ["an annotation that STUNner knows, and we ignore", world([annotated({ "owned-by": "stunner" })])],
  [
    "relayed addresses of nodes in whose network no dataplane is",
    world([annotated({ "enable-relay-address-discovery": "true" })]),
    "relay-address-unreachable Gateway/media/gateway: the dataplane has a network of its own",
  ],
  [
    "an annotation's value that is misspelt",
    world([annotated({ "service-type": "Nodeport", "disable-session-affinity": "yes" })]),
    'annotation-value Gateway/media/gateway: stunner.l7mp.io/disable-session-affinity is "yes", and may be true, false',
    'annotation-value Gateway/media/gateway: stunner.l7mp.io/service-type is "Nodeport", and may be ClusterIP, NodePort, LoadBalancer',
  ],
  [
    "a service type that can never work",
    world([annotated({ "service-type": "ExternalName" })]),
    'annotation-value Gateway/media/gateway: stunner.l7mp.io/service-type is "ExternalName", and may be ClusterIP, NodePort, LoadBalancer',
  ],
  [
    "target ports that are not ports",
    world([
      annotated(
        { targetport: '{"udp": 0, "tcp": 70000, "tls": "3478", "no": 0}', "enable-mixed-protocol-lb": "true" },
        listener("udp", "TURN-UDP", 3478),
        listener("tcp", "TURN-TCP", 3478),
        listener("tls", "TURN-TCP", 3479),
      ),
    ]),
    "target-port Gateway/media/gateway/udp: target port 0 is not a port (1 to 65535): see the annotation stunner.l7mp.io/targetport",
    "target-port Gateway/media/gateway/tcp: target port 70000 is not a port (1 to 65535): see the annotation stunner.l7mp.io/targetport",
    'target-port Gateway/media/gateway/tls: target port "3478" is not a port (1 to 65535): see the annotation stunner.l7mp.io/targetport',
    "annotation-listener Gateway/media/gateway: stunner.l7mp.io/targetport names listener no",
  ],
  [
    "HTTP backends that cannot be used",
    world([
      gateway([listener("udp", "TURN-UDP", 3478), listener("tcp", "TURN-TCP", 3478)], {
        "stunner.l7mp.io/enable-mixed-protocol-lb": "true",
        "turnpike.dev/http-backends": '{"tcp": "site:443", "udp": "site:443", "other": "site:443"}',
        "turnpike.dev/http-backend-proxy-protocol": '{"tcp": "v3"}',
      }),
    ]),
    "http-backend Gateway/media/gateway: turnpike.dev/http-backends of tcp: Service media/site not found",
    "annotation-value Gateway/media/gateway: turnpike.dev/http-backends of udp: TURN-UDP cannot be shared with HTTP",
    "annotation-listener Gateway/media/gateway: turnpike.dev/http-backends names listener other",
    'annotation-value Gateway/media/gateway: turnpike.dev/http-backend-proxy-protocol "v3" of tcp is not one of v2, v1, none',
  ],
  [
    "a misspelled annotation of Turnpike",
    world([gateway(undefined, { "turnpike.dev/http-backend": "{}" })]),
    "annotation-unknown Gateway/media/gateway: turnpike.dev/http-backend",
  ],
  [
    "NodePorts that are not ports",
    world([annotated({ nodeport: '{"udp": "30478"}' })]),
    'annotation-value Gateway/media/gateway: stunner.l7mp.io/nodeport "30478" of udp is not a port (1 to 65535)',
  ],
  [
    "port ranges that match nothing",
    world([backends({ name: "server", port: 10_000, endPort: 9000 }, { name: "server", endPort: 20_000 })]),
    `backend-unusable ${NATIVE}: backend media/server: endPort 9000 is below port 10000`,
    `backend-unusable ${NATIVE}: backend media/server: endPort 20000 needs a port that the range begins at`,
  ],
  [
    "a Service of type ExternalName",
    world([service({ type: "ExternalName", externalName: "media.example.org", ports: [] })], ["EndpointSlice"]),
    `backend-unusable ${NATIVE}: Service media/server is of type ExternalName, which has no endpoints`,
  ],
  [
    "a Service without selector and addresses",
    world([{ ...slice(), endpoints: [] }]),
    `backend-without-endpoints ${NATIVE}: Service media/server has no selector and no endpoints`,
  ],
  [
    "nothing: a headless Service",
    world([service({ clusterIP: "None", selector: { app: "media" } }), { ...slice("10.1.0.7"), ports: [] }]),
  ],
  [
    "an address of a type that is not supported",
    world([
      { ...gateway(), spec: { ...(gateway()["spec"] as object), addresses: [{ type: "NamedAddress", value: "a" }] } },
    ]),
    'address-ignored Gateway/media/gateway: spec.addresses[0] "a" is of type NamedAddress, which is not supported',
  ],
  [
    "kinds of routes that are not supported",
    world([
      gateway([
        listener("http", "TURN-UDP", 3478, { allowedRoutes: { kinds: [{ kind: "HTTPRoute" }] } }),
        listener("both", "TURN-UDP", 3479, {
          allowedRoutes: { kinds: [{ kind: "HTTPRoute" }, { group: "stunner.l7mp.io", kind: "UDPRoute" }] },
        }),
      ]),
    ]),
    "listener-route-kinds Gateway/media/gateway/http: allowedRoutes.kinds: gateway.networking.k8s.io/HTTPRoute not supported",
    "listener-route-kinds Gateway/media/gateway/both: allowedRoutes.kinds: gateway.networking.k8s.io/HTTPRoute not supported",
  ],
  [
    "a route of a kind that no listener takes",
    world([gateway([listener("udp", "TURN-UDP", 3478, { allowedRoutes: { kinds: [{ kind: "UDPRoute" }] } })])]),
    `route-not-accepted ${NATIVE}: Gateway media/gateway takes no UDPRoute of group stunner.l7mp.io: see allowedRoutes.kinds`,
    "listener-without-routes Gateway/media/gateway/udp: no route is attached",
  ],
  [
    "NodePorts that are not JSON",
    world([annotated({ nodeport: "udp=30000" })]),
    'annotation-value Gateway/media/gateway: stunner.l7mp.io/nodeport is not a JSON object of ports, {"LISTENER": PORT}',
  ],
  [
    "a NodePort of another listener",
    world([annotated({ nodeport: '{"tcp": 30000}' })]),
    "annotation-listener Gateway/media/gateway: stunner.l7mp.io/nodeport names listener tcp",
  ],
  [
    "a NodePort that Kubernetes refuses",
    world([annotated({ nodeport: '{"udp": 3478}' })]),
    "node-port-range Gateway/media/gateway/udp: NodePort 3478",
  ],
  [
    "a NodePort that is taken",
    world([
      annotated({ nodeport: '{"udp": 30000}' }),
      gateway(undefined, { "stunner.l7mp.io/nodeport": '{"udp": 30000}' }, "second"),
      route({ parentRefs: [{ name: "gateway" }, { name: "second" }] }),
    ]),
    "node-port-conflict Gateway/media/second/udp: NodePort 30000 is asked for by media/gateway/udp",
  ],
  [
    "a NodePort of a ClusterIP",
    world([annotated({ "service-type": "ClusterIP", nodeport: '{"udp": 30000}' })]),
    "node-port-ignored Gateway/media/gateway: service-type is ClusterIP",
  ],
  [
    "a traffic policy of a ClusterIP",
    world([annotated({ "service-type": "ClusterIP", "external-traffic-policy": "local" })]),
    "traffic-policy-ignored Gateway/media/gateway: service-type is ClusterIP",
  ],
  [
    "a local traffic policy with a Deployment",
    world([annotated({ "external-traffic-policy": "local" })]),
    "traffic-policy-local Gateway/media/gateway: the dataplane is a Deployment, whose pods are on some nodes alone",
  ],
  [
    "nothing, with a DaemonSet",
    world([
      annotated({ "external-traffic-policy": "local" }),
      {
        apiVersion: "stunner.l7mp.io/v1",
        kind: "Dataplane",
        metadata: { name: "default" },
        spec: { dataplaneResource: "DaemonSet" },
      },
    ]),
  ],
  ...(
    [
      [{ image: "turnpike:1" }, "it has no `resources`: limits.memory is 20M then"],
      [{ image: "turnpike:1", resources: { limits: { memory: "64Mi" } } }, "limits.memory is 64Mi"],
      [{ image: "turnpike:1", resources: { limits: { memory: "128Mi" } } }, undefined],
      [{ image: "turnpike:1", resources: { limits: { cpu: 2 } } }, undefined],
      [{ image: "l7mp/stunnerd:1.2.1" }, undefined],
    ] as const
  ).map(([spec, says]): Prepared => [
    `a Dataplane with ${JSON.stringify(spec)}`,
    world([{ apiVersion: "stunner.l7mp.io/v1", kind: "Dataplane", metadata: { name: "default" }, spec }]),
    ...(says === undefined ? [] : [`dataplane-memory Dataplane/default: ${says}`]),
  ]),
  ["no route", world([], ["UDPRoute"]), "listener-without-routes Gateway/media/gateway/udp: no route is attached"],
  [
    "a route for one listener of two",
    world([
      gateway([listener("udp", "TURN-UDP", 3478), listener("second", "TURN-UDP", 3479)]),
      route({ parentRefs: [{ name: "gateway", sectionName: "udp" }] }),
    ]),
    "listener-without-routes Gateway/media/gateway/second: no route is attached",
  ],
  [
    "a route without parents",
    world([route({ parentRefs: undefined })]),
    `route-without-parent ${NATIVE}: it has no parentRefs`,
    "listener-without-routes Gateway/media/gateway/udp: no route is attached",
  ],
  [
    "a parent that is not there",
    world([route({ parentRefs: [{ name: "gateway" }, { name: "other" }] })]),
    `route-parent-missing ${NATIVE}: Gateway media/other is not there`,
  ],
  [
    "a parent in another namespace",
    world([route({}, "stunner.l7mp.io", "default")], ["UDPRoute"]),
    "route-parent-missing UDPRoute.stunner.l7mp.io/default/route: Gateway default/gateway is not there; there is media/gateway: add its namespace to the parentRef",
    "listener-without-routes Gateway/media/gateway/udp: no route is attached",
  ],
  [
    "a listener that is not there",
    world([route({ parentRefs: [{ name: "gateway", sectionName: "tcp" }] })]),
    `route-not-accepted ${NATIVE}: Gateway media/gateway has no listener tcp: it has udp`,
    "listener-without-routes Gateway/media/gateway/udp: no route is attached",
  ],
  [
    "a namespace that is not let in",
    world(
      [
        route({ parentRefs: [{ name: "gateway", namespace: "media" }] }, "stunner.l7mp.io", "default"),
        service({}, "server", "default"),
      ],
      ["UDPRoute"],
    ),
    "route-not-accepted UDPRoute.stunner.l7mp.io/default/route: Gateway media/gateway lets no routes of namespace default in",
    "listener-without-routes Gateway/media/gateway/udp: no route is attached",
  ],
  [
    "a route that is masked",
    world([route({ rules: [{ backendRefs: [{ name: "server", port: 1 }] }] }, "gateway.networking.k8s.io")]),
    "route-masked UDPRoute/media/route: UDPRoute.stunner.l7mp.io media/route stands in front of it",
  ],
  [
    "a second rule",
    world([route({ rules: [{ backendRefs: [{ name: "server" }] }, { backendRefs: [{ name: "other" }] }] })]),
    `route-rules ${NATIVE}: it has 2 rules`,
  ],
  [
    "a rule without backends",
    world([route({ rules: [{}] })]),
    `route-without-backends ${NATIVE}: its first rule has no backendRefs`,
  ],
  [
    "a Service that is not there",
    world([backends({ name: "nothing" })]),
    `backend-missing ${NATIVE}: Service media/nothing is not there`,
  ],
  [
    "a StaticService that is not there",
    world([toStatic()]),
    `backend-missing ${NATIVE}: StaticService media/static is not there`,
  ],
  [
    "a backend of another kind",
    world([backends({ group: "apps", kind: "Deployment", name: "server" })]),
    `backend-kind ${NATIVE}: server is a Deployment of group "apps"`,
  ],
  [
    "the Service's port instead of the pods'",
    world([
      backends({ name: "server", port: 9001 }),
      service({ ports: [{ port: 9001, targetPort: 5000, protocol: "UDP" }] }),
    ]),
    `backend-port ${NATIVE}: it asks for 9001, the pods of Service media/server listen at 5000`,
  ],
  [
    "nothing, with a range around it",
    world([
      backends({ name: "server", port: 4000, endPort: 6000 }),
      service({ ports: [{ port: 9001, targetPort: 5000 }] }),
    ]),
  ],
  [
    "nothing, with a port that has a name",
    world([backends({ name: "server", port: 9001 }), service({ ports: [{ port: 9001, targetPort: "media" }] })]),
  ],
  [
    "an invalid prefix",
    world([toStatic(), staticService("10.0.0.0/8", "media.example.com")]),
    "backend-malformed StaticService/media/static: media.example.com is no address and no prefix",
  ],
  [
    "everything opened",
    world([toStatic(), staticService("0.0.0.0/0")]),
    "backend-everything StaticService/media/static: it has 0.0.0.0/0",
  ],
  [
    "the metadata service opened",
    world([toStatic(), staticService("169.254.169.254")]),
    "backend-special StaticService/media/static: it has 169.254.169.254, which is link-local",
  ],
  [
    "loopback opened by an EndpointSlice",
    world([slice("127.0.0.1")]),
    `backend-special ${NATIVE}: Service media/server has 127.0.0.1, which is loopback`,
  ],
];

describe("turnpike lint", () => {
  it.each(worlds.map(([what, objects, ...says]) => ({ what, objects, says })))(
    "finds $what",
    async ({ objects, says }) => {
      expect((await found(objects)).toSorted()).toEqual(says.toSorted());
    },
  );

  it("finds a missing ReferenceGrant where one is asked for", async () => {
    const objects = world([backends({ name: "server", namespace: "other" }), service({}, "server", "other")]);
    expect(await found(objects)).toEqual([]);
    expect(await found(objects, true)).toEqual([`backend-not-permitted ${NATIVE}: Service other/server`]);
  });

  it("warns of a certificate that expires soon", async () => {
    const objects = world([
      gateway([tls({ certificateRefs: [{ name: "certificate" }] })]),
      secret({ "tls.crt": certificate.cert64, "tls.key": certificate.key64 }),
    ]);
    expect(await found(objects)).toEqual([]);
    expect(await found(objects, false, Date.now() + 17 * 24 * 60 * 60_000)).toContainEqual(
      expect.stringMatching(
        /^certificate-expires Gateway\/media\/gateway\/tls: the certificate in Secret media\/certificate expires at /,
      ),
    );
  });

  it("has a world for every code, and says of each what to do", () => {
    const tested = new Set(worlds.flatMap(([, , ...says]) => says.map((one) => one.split(" ")[0])));
    const elsewhere = ["manifest", "backend-not-permitted", "certificate-expires"];
    expect(Object.keys(findings).filter((code) => !tested.has(code) && !elsewhere.includes(code))).toEqual([]);
    for (const { todo, what } of Object.values(findings)) expect(Math.min(todo.length, what.length)).toBeGreaterThan(5);
  });
});
