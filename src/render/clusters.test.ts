import { describe, expect, it } from "vitest";
import {
  clusterOf,
  configOf,
  fixture,
  gatewayApiRoute,
  optionsWith,
  patched,
  plus,
  podIPs,
  render,
  routeOf,
  see,
  service,
  slice,
  withBackends,
  without,
  type Objects,
} from "../../test/render/fixture.ts";
import type { RenderOptions } from "../resources/view.ts";
import { renderCluster } from "./clusters.ts";

const noDiscovery = optionsWith({ endpointDiscovery: false });
const podsOnly = optionsWith({ relayToClusterIP: false });
const legacyEndpoints = optionsWith({ endpointSource: "Endpoints" });
const staticBackend = (name = "teststaticservice-ok"): unknown => ({
  group: "stunner.l7mp.io",
  kind: "StaticService",
  name,
});
const withClusterIP = (clusterIP: string, objects = fixture): Objects =>
  patched(objects, "Service", { spec: { clusterIP } });

const problemsOf = (objects: Objects, options: RenderOptions = optionsWith()): readonly string[] =>
  renderCluster(see(objects, options), options, routeOf(objects)).problems.map(({ message }) => message);

const asGatewayApiRoute = (objects: Objects): Objects =>
  plus(
    without(objects, "UDPRoute"),
    gatewayApiRoute("udproute-ok", {
      parentRefs: [{ name: "gateway-1" }],
      rules: [{ backendRefs: [{ name: "testservice-ok", port: 1 }] }],
    }),
  );

const staticCluster = (endpoints?: readonly string[]): unknown => ({
  name: "testnamespace/udproute-ok",
  type: "STATIC",
  protocol: "UDP",
  ...(endpoints && { endpoints }),
});

describe("a Service with discovered endpoints", () => {
  const all = [...podIPs, "4.3.2.1"];

  it("permits its pods and its cluster IP, from slices or an Endpoints object", () => {
    const objects = withClusterIP("4.3.2.1");
    expect(clusterOf(objects)).toEqual(staticCluster(all));
    expect(clusterOf(objects, legacyEndpoints)).toEqual(staticCluster(all));
    expect(problemsOf(objects)).toEqual([]);
  });

  it("permits the same for a Gateway API route, whose mandatory port limits nothing", () => {
    const objects = asGatewayApiRoute(withClusterIP("4.3.2.1"));
    expect(clusterOf(objects)).toEqual(staticCluster(all));
    expect(clusterOf(objects, legacyEndpoints)).toEqual(staticCluster(all));
  });

  it("limits every address to the backend's ports", () => {
    const objects = withBackends([{ name: "testservice-ok", port: 100, endPort: 200 }], withClusterIP("4.3.2.1"));
    expect(clusterOf(objects)?.endpoints).toEqual(all.map((address) => `${address}:<100-200>`));
  });

  it("permits only its pods if relaying to cluster IPs is off", () => {
    expect(clusterOf(withClusterIP("4.3.2.1"), podsOnly)).toEqual(staticCluster(podIPs));
    expect(problemsOf(fixture, podsOnly)).toEqual([]);
  });

  it.each([
    ["without a cluster IP", fixture],
    ["that is headless", withClusterIP("None")],
  ])("permits the pods of a Service %s, which is resolved", (_, objects) => {
    expect(clusterOf(objects)).toEqual(staticCluster(podIPs));
    expect(problemsOf(objects)).toEqual([]);
  });

  it("reports a headless Service in a log of the first release", () => {
    const first = optionsWith({ rules: 1 });
    expect(problemsOf(withClusterIP("None"), first)).toEqual([
      "no cluster IP for Service testnamespace/testservice-ok",
    ]);
  });

  it.each([
    ["ExternalName", { type: "ExternalName", externalName: "media.example.org" }, "unsupported", /type ExternalName/],
    ["headless and has no endpoints", { clusterIP: "None" }, "no-endpoints", /^no endpoints for Service/],
    ["without a cluster IP and has no endpoints", {}, "no-endpoints", /^no endpoints for Service/],
  ])("is not reported as missing if it is %s", (_, spec, kind, message) => {
    const objects = patched(without(fixture, "EndpointSlice"), "Service", { spec });
    const { problems, cluster } = renderCluster(see(objects), optionsWith(), routeOf(objects));
    expect(problems).toEqual([{ kind, message: expect.stringMatching(message) }]);
    expect(cluster).toEqual(staticCluster());
  });

  it.each([
    [{ port: 10_000, endPort: 9000 }, "endPort 9000 is below port 10000"],
    [{ endPort: 20_000 }, "endPort 20000 needs a port that the range begins at"],
    [{ port: 70_000 }, "port 70000 is not a port (1 to 65535)"],
    [{ port: 0 }, "port 0 is not a port (1 to 65535)"],
    [{ port: 1, endPort: 65_536 }, "port 65536 is not a port (1 to 65535)"],
  ])("is refused by itself with the ports %j", (ports, why) => {
    const objects = withBackends([
      { name: "testservice-ok", ...ports },
      { name: "testservice-ok", port: 9, endPort: 9 },
    ]);
    const { problems, cluster } = renderCluster(see(objects), optionsWith(), routeOf(objects));
    expect(problems).toEqual([{ kind: "unsupported", message: `backend testnamespace/testservice-ok: ${why}` }]);
    expect(cluster).toEqual(staticCluster(podIPs.map((address) => `${address}:<9-9>`)));
  });

  it("is looked up in the namespace that the backend names", () => {
    const objects = plus(
      withBackends([{ name: "testservice-ok", namespace: "dummy" }]),
      service("testservice-ok", "1.1.1.1", "dummy"),
      slice("other", "testservice-ok", podIPs, "dummy"),
    );
    expect(clusterOf(objects)?.endpoints).toEqual(["1.1.1.1", ...podIPs]);
  });

  it("without endpoints falls back to its cluster IP, and the problem is reported", () => {
    const objects = plus(
      withBackends([{ name: "one" }, { name: "testservice-ok" }, { name: "three" }], withClusterIP("2.2.2.2")),
      service("one", "1.1.1.1"),
      service("three", "3.3.3.3"),
      slice("three", "three", ["1.2.3.8"]),
    );
    expect(clusterOf(objects)?.endpoints).toHaveLength(8);
    expect(problemsOf(objects)).toEqual(["no endpoints for Service testnamespace/one"]);
  });

  it("is permitted whatever is missing of the other backends", () => {
    const objects = plus(
      withBackends([{ name: "absent" }, { name: "testservice-ok" }, { name: "three" }]),
      service("three", "1.1.1.1"),
    );
    expect(clusterOf(objects)?.endpoints).toEqual(["1.1.1.1", ...podIPs]);
    expect(problemsOf(objects).at(-1)).toBe("no endpoints for Service testnamespace/three");
  });

  it("is permitted after an absent one", () => {
    const objects = withBackends([{ name: "absent" }, { name: "testservice-ok" }], withClusterIP("4.3.2.1"));
    expect(clusterOf(objects)).toEqual(staticCluster(all));
    expect(problemsOf(objects)).toEqual(["backend testnamespace/absent not found"]);
  });

  it("is permitted before an absent StaticService", () => {
    const objects = withBackends([{ name: "testservice-ok" }, staticBackend("absent")], withClusterIP("4.3.2.1"));
    expect(clusterOf(objects)).toEqual(staticCluster(all));
    expect(problemsOf(objects)).toEqual(["StaticService testnamespace/absent not found"]);
  });

  it("permits nothing if it is the only backend and absent", () =>
    expect(clusterOf(withBackends([{ name: "absent" }]))).toEqual(staticCluster()));
});

describe("endpoints", () => {
  it("are all addresses of the Endpoints object, ready or not", () =>
    expect(clusterOf(fixture, legacyEndpoints)?.endpoints).toEqual(podIPs));

  it.each([
    ["under another name", { name: "dummy" }],
    ["in another namespace", { namespace: "dummy" }],
  ])("are not found in an Endpoints object %s", (_, metadata) => {
    const objects = patched(fixture, "Endpoints", { metadata });
    expect(clusterOf(objects, legacyEndpoints)).toEqual(staticCluster());
    expect(problemsOf(objects, legacyEndpoints)).toEqual(["no endpoints for Service testnamespace/testservice-ok"]);
  });

  it("are not mixed with those of another Service", () =>
    expect(clusterOf(plus(fixture, slice("other", "other", ["9.9.9.9"])))?.endpoints).toEqual(podIPs));

  it("are all addresses of the EndpointSlices, ready or not", () =>
    expect(clusterOf(fixture)?.endpoints).toEqual(podIPs));

  it.each([
    ["labelled for another Service", { labels: { "kubernetes.io/service-name": "dummy" } }],
    ["in another namespace", { namespace: "dummy" }],
  ])("are not found in a slice %s", (_, metadata) =>
    expect(clusterOf(patched(fixture, "EndpointSlice", { metadata }))).toEqual(staticCluster()),
  );

  it("are gathered from several slices", () =>
    expect(clusterOf(plus(fixture, slice("more", "testservice-ok", ["1.2.3.8"])))?.endpoints).toEqual([
      ...podIPs,
      "1.2.3.8",
    ]));

  it("drain while only terminating pods have them", () => {
    const objects = withBackends([{ name: "testservice-ok", port: 10 }]);
    expect(render(objects).draining).toEqual({ "testnamespace/udproute-ok": ["1.2.3.6:<10-10>"] });
    expect(clusterOf(objects)?.endpoints).toContain("1.2.3.6:<10-10>");
  });

  it("do not drain while another backend has them", () => {
    const objects = plus(
      withBackends([{ name: "testservice-ok" }, { name: "other" }]),
      slice("other", "other", ["1.2.3.6"]),
    );
    expect(render(objects).draining).toEqual({});
  });

  it("may be IPv6, without brackets before a port range", () => {
    const objects = plus(
      withBackends([{ name: "six", port: 100, endPort: 200 }]),
      slice("six", "six", ["2001:db8::7"]),
    );
    expect(clusterOf(objects)?.endpoints).toEqual(["2001:db8::7:<100-200>"]);
  });
});

describe("a Service without discovery", () => {
  it("is rendered as its DNS name", () =>
    expect(clusterOf(fixture, noDiscovery)).toEqual({
      name: "testnamespace/udproute-ok",
      type: "STRICT_DNS",
      protocol: "UDP",
      endpoints: ["testservice-ok.testnamespace.svc.cluster.local"],
    }));

  it("has the namespace of its backendRef in its DNS name", () => {
    const backends = [
      { namespace: "dummy-ns", name: "dummy" },
      { namespace: "dummy-ns", name: "testservice-ok-1" },
      { name: "testservice-ok-2", port: 10, endPort: 20 },
    ];
    expect(clusterOf(withBackends(backends), noDiscovery)?.endpoints).toEqual([
      "dummy.dummy-ns.svc.cluster.local",
      "testservice-ok-1.dummy-ns.svc.cluster.local",
      "testservice-ok-2.testnamespace.svc.cluster.local",
    ]);
  });

  it("is named by the domain of the cluster", () =>
    expect(clusterOf(fixture, { ...noDiscovery, clusterDomain: "k8s.example.org" })?.endpoints).toEqual([
      "testservice-ok.testnamespace.svc.k8s.example.org",
    ]));

  it("cannot share a cluster with addresses: the first backend decides", () => {
    const staticFirst = withBackends([staticBackend(), { name: "testservice-ok" }]);
    expect(clusterOf(staticFirst, noDiscovery)).toMatchObject({
      type: "STATIC",
      endpoints: ["10.11.12.13", "10.11.12.14", "10.11.12.15"],
    });
    expect(problemsOf(staticFirst, noDiscovery)).toEqual([
      "backend testservice-ok needs a STRICT_DNS cluster, others a STATIC one",
    ]);
    const nameFirst = withBackends([{ name: "testservice-ok" }, staticBackend()]);
    expect(clusterOf(nameFirst, noDiscovery)).toMatchObject({
      type: "STRICT_DNS",
      endpoints: ["testservice-ok.testnamespace.svc.cluster.local"],
    });
  });
});

describe("a StaticService", () => {
  it("permits its prefixes", () =>
    expect(clusterOf(withBackends([staticBackend()]))).toEqual(
      staticCluster(["10.11.12.13", "10.11.12.14", "10.11.12.15"]),
    ));

  it("leaves no cluster if it is the only backend and absent, though the listener names the route", () => {
    const objects = withBackends([staticBackend("absent")]);
    expect(configOf(objects).clusters).toBeUndefined();
    expect(configOf(objects).listeners?.[0]?.routes).toEqual(["testnamespace/udproute-ok"]);
    expect(problemsOf(objects)).toEqual(["StaticService testnamespace/absent not found"]);
  });

  it.each([
    ["slices", podsOnly],
    ["an Endpoints object", { ...podsOnly, endpointSource: "Endpoints" as const }],
  ])("adds to a Service with %s", (_, options) => {
    const wide = {
      apiVersion: "stunner.l7mp.io/v1",
      kind: "StaticService",
      metadata: { name: "wide", namespace: "testnamespace" },
      spec: { prefixes: ["0.0.0.0/1", "128.0.0.0/1"] },
    };
    const objects = plus(withBackends([staticBackend(), staticBackend("wide"), { name: "testservice-ok" }]), wide);
    expect(clusterOf(objects, options)?.endpoints).toHaveLength(9);
  });

  it("with a malformed prefix leaves no cluster at all", () => {
    const objects = patched(withBackends([{ name: "testservice-ok" }, staticBackend()]), "StaticService", {
      spec: { prefixes: ["foo"] },
    });
    expect(clusterOf(objects)).toBeUndefined();
    expect(problemsOf(objects).at(-1)).toBe("not an IP or prefix: foo");
  });
});

describe("a rule", () => {
  it.each([
    ["discovered", optionsWith()],
    ["named", noDiscovery],
  ])("without backends permits nothing, where Services are %s", (_, options) => {
    expect(clusterOf(withBackends([]), options)).toEqual(staticCluster());
    expect(problemsOf(withBackends([]), options)).toEqual([]);
  });

  it.each([
    ["group", { group: "dummy", name: "testservice-ok" }],
    ["kind", { kind: "dummy", name: "testservice-ok" }],
    ["kind", { kind: "StaticService", name: "testservice-ok" }],
    ["kind", { group: "stunner.l7mp.io", kind: "Service", name: "testservice-ok" }],
  ])("skips and reports a backend of an unsupported %s", (what, backend) => {
    for (const options of [optionsWith(), noDiscovery]) {
      expect(clusterOf(withBackends([backend]), options)).toEqual(staticCluster());
      expect(problemsOf(withBackends([backend]), options)).toEqual([expect.stringContaining(`backend ${what}`)]);
    }
  });

  it("is the only one that counts", () => {
    const rules = [{ backendRefs: [staticBackend()] }, { backendRefs: [{ name: "testservice-ok" }] }];
    expect(clusterOf(patched(fixture, "UDPRoute", { spec: { rules } }))?.endpoints).toHaveLength(3);
  });

  it("is needed for a cluster", () => {
    const objects = patched(fixture, "UDPRoute", { spec: { rules: [] } });
    expect(clusterOf(objects)).toBeUndefined();
    expect(problemsOf(objects)).toEqual(["route testnamespace/udproute-ok has no rules"]);
  });
});
