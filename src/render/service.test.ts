import { describe, expect, it } from "vitest";
import {
  TCP,
  UDP,
  fixture,
  patched,
  render,
  withConfigAnnotations,
  withGatewayAnnotations,
  withListeners,
  type Objects,
} from "../../test/render/fixture.ts";
import type { Service } from "../resources/core.ts";

const serviceOf = (objects: Objects): Service | undefined =>
  render(objects).objects.find((object): object is Service => object.kind === "Service");

const portsOf = (objects: Objects): readonly string[] =>
  (serviceOf(objects)?.spec?.ports ?? []).map(({ name, protocol, port }) => `${name} ${protocol}/${port}`);

const specOf = (objects: Objects): NonNullable<Service["spec"]> => serviceOf(objects)?.spec ?? {};

const one = withListeners([{ name: UDP, port: 1, protocol: "TURN-UDP" }]);
const mixed = "stunner.l7mp.io/enable-mixed-protocol-lb";
const type = "stunner.l7mp.io/service-type";
const policy = "stunner.l7mp.io/external-traffic-policy";
const udpOnly = [`${UDP} UDP/1`];
const both = [`${UDP} UDP/1`, `${TCP} TCP/2`];

describe("the families of a Service", () => {
  const familiesOf = (annotations: Readonly<Record<string, string>>) => {
    const { ipFamilyPolicy, ipFamilies, loadBalancerClass } = specOf(withGatewayAnnotations(annotations));
    return { ipFamilyPolicy, ipFamilies, loadBalancerClass };
  };
  const none = { ipFamilyPolicy: undefined, ipFamilies: undefined, loadBalancerClass: undefined };

  it("are what the annotations say, and nothing else", () => {
    expect(familiesOf({})).toEqual(none);
    expect(
      familiesOf({ "turnpike.dev/ip-family-policy": "RequireDualStack", "turnpike.dev/ip-families": "IPv6, IPv4" }),
    ).toEqual({ ...none, ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6", "IPv4"] });
    for (const malformed of ["", "IPv5", "IPv4,IPv4", "IPv4,", "IPv4 IPv6"]) {
      const annotations = { "turnpike.dev/ip-families": malformed };
      expect(familiesOf(annotations), malformed).toEqual(none);
      expect(render(withGatewayAnnotations(annotations)).status.conditions[0]?.message).toContain(
        `turnpike.dev/ip-families is ${JSON.stringify(malformed)}, and may be IPv4, IPv6, or both with a comma`,
      );
    }
  });

  it("do not stop it from having a class, if it is for a load balancer", () => {
    const annotations = { "turnpike.dev/load-balancer-class": "example.org/nlb" };
    expect(familiesOf(annotations).loadBalancerClass).toBe("example.org/nlb");
    expect(familiesOf({ ...annotations, [type]: "NodePort" }).loadBalancerClass).toBeUndefined();
  });
});

describe("what the infrastructure of a Gateway names", () => {
  it("is on all that is made for it, and does not replace what identifies that", () => {
    const labels = { team: "media", app: "mine", "stunner.l7mp.io/owned-by": "me" };
    const objects = patched(fixture, "Gateway", {
      spec: { infrastructure: { labels, annotations: { "example.org/cost": "42" } } },
    });
    const made = render(objects).objects;
    expect(made.map(({ kind }) => kind)).toEqual(["Service", "Deployment"]);
    for (const { metadata } of made) {
      expect(metadata.labels).toMatchObject({ team: "media", "stunner.l7mp.io/owned-by": "stunner" });
      expect(metadata.annotations).toMatchObject({ "example.org/cost": "42" });
    }
    const { template } = (made[1] as unknown as { spec: { template: { metadata: unknown } } }).spec;
    expect(template.metadata).toMatchObject({
      labels: { team: "media", app: "stunner" },
      annotations: { "example.org/cost": "42" },
    });
  });
});

describe("the Service of a Gateway", () => {
  it("exposes its listener", () =>
    expect(serviceOf(one)).toEqual({
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name: "gateway-1",
        namespace: "testnamespace",
        labels: {
          "stunner.l7mp.io/owned-by": "stunner",
          "stunner.l7mp.io/related-gateway-name": "gateway-1",
          "stunner.l7mp.io/related-gateway-namespace": "testnamespace",
        },
        annotations: { "stunner.l7mp.io/related-gateway-name": "testnamespace/gateway-1" },
        ownerReferences: [
          { apiVersion: "gateway.networking.k8s.io/v1", kind: "Gateway", name: "gateway-1", uid: "gateway-uid" },
        ],
      },
      spec: {
        type: "LoadBalancer",
        selector: {
          app: "stunner",
          "stunner.l7mp.io/related-gateway-name": "gateway-1",
          "stunner.l7mp.io/related-gateway-namespace": "testnamespace",
        },
        ports: [{ name: UDP, protocol: "UDP", port: 1, targetPort: 1 }],
        externalTrafficPolicy: "Cluster",
        sessionAffinity: "ClientIP",
      },
    }));

  it("is absent without a listener that can be exposed", () =>
    expect(serviceOf(withListeners([{ name: UDP, port: 1, protocol: "dummy" }]))).toBeUndefined());

  it("exposes all listeners of one transport", () => {
    const listeners = [
      { name: "a", port: 1, protocol: "TURN-UDP" },
      { name: "b", port: 2, protocol: "DTLS", tls: { certificateRefs: [{ name: "testsecret-ok" }] } },
    ];
    expect(portsOf(withListeners(listeners))).toEqual(["a UDP/1", "b UDP/2"]);
  });

  it("has the transport of the first supported listener", () => {
    const listeners = [
      { name: UDP, port: 1, protocol: "dummy" },
      { name: TCP, port: 2, protocol: "TURN-TCP" },
    ];
    expect(portsOf(withListeners(listeners))).toEqual([`${TCP} TCP/2`]);
  });

  it.each([
    ["of both transports if the Gateway's annotation is true", withGatewayAnnotations({ [mixed]: "true" }), both],
    ["of one transport if the annotation has another value", withGatewayAnnotations({ [mixed]: "dummy" }), udpOnly],
    ["of both transports if the GatewayConfig's annotation is true", withConfigAnnotations({ [mixed]: "TRUE" }), both],
    [
      "of one transport if the Gateway's annotation overrides the GatewayConfig's",
      withGatewayAnnotations({ [mixed]: "false" }, withConfigAnnotations({ [mixed]: "true" })),
      udpOnly,
    ],
  ])("is %s", (_, objects, ports) => expect(portsOf(objects)).toEqual(ports));

  it("leaves conflicting listeners out", () => {
    const listeners = [
      { name: "a", port: 1, protocol: "UDP" },
      { name: "b", port: 1, protocol: "DTLS" },
    ];
    expect(portsOf(withListeners(listeners))).toEqual(["a UDP/1"]);
  });

  it("targets the new port when a listener's port changes", () =>
    expect(specOf(withListeners([{ name: UDP, port: 3479, protocol: "UDP" }])).ports?.[0]).toMatchObject({
      port: 3479,
      targetPort: 3479,
    }));

  it("asks for the load balancer IP of the Gateway's spec.addresses", () => {
    const asking = (address: unknown): Objects => patched(fixture, "Gateway", { spec: { addresses: [address] } });
    expect(specOf(asking({ value: "1.1.1.1" })).loadBalancerIP).toBe("1.1.1.1");
    expect(specOf(asking({ type: "Hostname", value: "a.b" }))).not.toHaveProperty("loadBalancerIP");
  });
});

describe("its annotations", () => {
  it("are those of the GatewayConfig", () =>
    expect(serviceOf(withConfigAnnotations({ test: "a", dummy: "b" }))?.metadata.annotations).toEqual({
      test: "a",
      dummy: "b",
      "stunner.l7mp.io/related-gateway-name": "testnamespace/gateway-1",
    }));

  it("are overridden by the Gateway's", () => {
    const config = withConfigAnnotations({ test: "a", dummy: "b" });
    const objects = withGatewayAnnotations({ dummy: "something-else", extra: "c" }, config);
    expect(serviceOf(objects)?.metadata.annotations).toEqual({
      test: "a",
      dummy: "something-else",
      extra: "c",
      "stunner.l7mp.io/related-gateway-name": "testnamespace/gateway-1",
    });
  });

  it("leave out kubectl's copy of the manifest", () => {
    const objects = withGatewayAnnotations({ "kubectl.kubernetes.io/last-applied-configuration": "{}" });
    expect(Object.keys(serviceOf(objects)?.metadata.annotations ?? {})).toHaveLength(1);
  });
});

describe("a health check port", () => {
  const aws = (port: string, protocol: string): Readonly<Record<string, string>> => ({
    "service.beta.kubernetes.io/aws-load-balancer-healthcheck-port": port,
    "service.beta.kubernetes.io/aws-load-balancer-healthcheck-protocol": protocol,
  });
  const digitalOcean = {
    "service.beta.kubernetes.io/do-loadbalancer-healthcheck-port": "8080",
    "service.beta.kubernetes.io/do-loadbalancer-healthcheck-protocol": "tcp",
  };
  const health = "gateway-health-check TCP/8080";

  it.each([
    ["AWS", withConfigAnnotations(aws("8080", "HTTP")), [...udpOnly, health]],
    ["DigitalOcean", withConfigAnnotations(digitalOcean), [...udpOnly, health]],
    [
      "a protocol that the Gateway corrects",
      withGatewayAnnotations(aws("8080", "HTTP"), withConfigAnnotations(aws("8080", "UDP"))),
      [...udpOnly, health],
    ],
    [
      "nobody if disable-health-check-expose is true",
      withConfigAnnotations({ ...aws("8080", "HTTP"), "stunner.l7mp.io/disable-health-check-expose": "true" }),
      udpOnly,
    ],
    ["nobody if the port is not a number", withConfigAnnotations(aws("eighty", "HTTP")), udpOnly],
    ["nobody if the port is out of range", withConfigAnnotations(aws("70000", "HTTP")), udpOnly],
    ["nobody over UDP", withConfigAnnotations(aws("8080", "UDP")), udpOnly],
    ["nobody over HTTPS", withConfigAnnotations(aws("8080", "HTTPS")), udpOnly],
  ])("is exposed for %s", (_, objects, ports) => expect(portsOf(objects)).toEqual(ports));

  it("is not exposed twice", () => {
    const listeners = withListeners([{ name: TCP, port: 8080, protocol: "TCP" }]);
    expect(portsOf(withGatewayAnnotations(aws("8080", "TCP"), listeners))).toEqual([`${TCP} TCP/8080`]);
  });

  it.each(["ClusterIP", "NodePort"])("is for load balancers, not %s", (value) =>
    expect(portsOf(withConfigAnnotations({ ...aws("8080", "HTTP"), [type]: value }))).toEqual(udpOnly),
  );
});

describe("its type", () => {
  it.each([
    ["LoadBalancer by default", fixture, "LoadBalancer"],
    ["the GatewayConfig's, ClusterIP", withConfigAnnotations({ [type]: "ClusterIP" }), "ClusterIP"],
    ["the GatewayConfig's, NodePort", withConfigAnnotations({ [type]: "NodePort" }), "NodePort"],
    ["the Gateway's, ClusterIP", withGatewayAnnotations({ [type]: "ClusterIP" }), "ClusterIP"],
    [
      "the Gateway's rather than the GatewayConfig's",
      withGatewayAnnotations({ [type]: "NodePort" }, withConfigAnnotations({ [type]: "ClusterIP" })),
      "NodePort",
    ],
    ["the Gateway's, NodePort", withGatewayAnnotations({ [type]: "NodePort" }), "NodePort"],
    ["LoadBalancer for a wrong case", withGatewayAnnotations({ [type]: "nodeport" }), "LoadBalancer"],
    [
      "LoadBalancer for ExternalName, which Kubernetes refuses",
      withGatewayAnnotations({ [type]: "ExternalName" }),
      "LoadBalancer",
    ],
    ["LoadBalancer for None", withGatewayAnnotations({ [type]: "None" }), "LoadBalancer"],
  ])("is %s", (_, objects, expected) => expect(specOf(objects).type).toBe(expected));
});

describe("its traffic", () => {
  it("has no session affinity if disable-session-affinity is true", () =>
    expect(specOf(withConfigAnnotations({ "stunner.l7mp.io/disable-session-affinity": "true" })).sessionAffinity).toBe(
      "None",
    ));

  it.each([
    ["local by the GatewayConfig", withConfigAnnotations({ [policy]: "local" }), "Local"],
    [
      "local by the Gateway",
      withGatewayAnnotations({ [policy]: "Local" }, withConfigAnnotations({ [policy]: "dummy" })),
      "Local",
    ],
    ["unset for a cluster IP", withGatewayAnnotations({ [policy]: "local", [type]: "ClusterIP" }), undefined],
    [
      "the cluster's if the Gateway overrides it with another value",
      withGatewayAnnotations({ [policy]: "dummy" }, withConfigAnnotations({ [policy]: "local" })),
      "Cluster",
    ],
  ])("is %s", (_, objects, expected) => expect(specOf(objects).externalTrafficPolicy).toBe(expected));
});

describe("its node and target ports", () => {
  const listeners = withListeners([
    { name: "random", port: 1, protocol: "UDP" },
    { name: "force-1", port: 2, protocol: "UDP" },
    { name: "force-2", port: 3, protocol: "UDP" },
  ]);
  const map = '{"force-1":101,"force-2":102,"force-3":103}';
  const ports = (objects: Objects, field: "nodePort" | "targetPort"): readonly unknown[] =>
    (specOf(objects).ports ?? []).map((port) => port[field]);

  it("are the annotated ones; names of no listener are ignored", () => {
    const nodePort = withConfigAnnotations({ "stunner.l7mp.io/nodeport": map }, listeners);
    expect(ports(nodePort, "nodePort")).toEqual([undefined, 101, 102]);
    const targetPort = withConfigAnnotations({ "stunner.l7mp.io/targetport": map }, listeners);
    expect(ports(targetPort, "targetPort")).toEqual([1, 101, 102]);
  });

  it.each([
    ["no port", '{"random":0,"force-1":70000,"force-2":103}', [undefined, undefined, 103]],
    ["a text", '{"random":"101","force-1":102}', [undefined, 102, undefined]],
    ["that of another listener", '{"random":101,"force-1":101,"force-2":103}', [101, undefined, 103]],
  ])("are chosen by Kubernetes where the annotated one is %s, and the status says so", (_, value, expected) => {
    const objects = withGatewayAnnotations({ "stunner.l7mp.io/nodeport": value }, listeners);
    expect(ports(objects, "nodePort")).toEqual(expected);
    expect(render(objects).status.conditions[0]).toMatchObject({
      status: "True",
      message: expect.stringMatching(/; ignored: stunner\.l7mp\.io\/nodeport /),
    });
  });

  it("are the Gateway's if the GatewayConfig's are malformed", () => {
    const broken = withConfigAnnotations({ "stunner.l7mp.io/nodeport": "[" }, listeners);
    expect(ports(broken, "nodePort")).toEqual([undefined, undefined, undefined]);
    expect(ports(withGatewayAnnotations({ "stunner.l7mp.io/nodeport": map }, broken), "nodePort")).toEqual([
      undefined,
      101,
      102,
    ]);
  });
});
