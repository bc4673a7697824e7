import { describe, expect, it } from "vitest";
import {
  TCP,
  UDP,
  fixture,
  gatewayApiRoute,
  optionsWith,
  patched,
  plus,
  render,
  routeOf,
  see,
  udpRoute,
  withBackends,
  withListeners,
  without,
  type Objects,
} from "../../test/render/fixture.ts";
import { renderRoute } from "./render.ts";

const backend = [{ backendRefs: [{ name: "testservice-ok" }] }];
const toGateway = (changes: object = {}): unknown => ({
  parentRefs: [{ name: "gateway-1", ...changes }],
  rules: backend,
});
const withParents = (...parentRefs: readonly unknown[]): Objects =>
  patched(fixture, "UDPRoute", { spec: { parentRefs } });

const attached = (objects: Objects): readonly number[] =>
  render(objects).status.listeners.map(({ attachedRoutes }) => attachedRoutes);

const routesOn = (objects: Objects): readonly (readonly string[])[] =>
  (render(objects).config?.listeners ?? []).map(({ routes }) => routes ?? []);

const rendered = (objects: Objects, name = "udproute-ok") =>
  renderRoute(see(objects), optionsWith(), routeOf(objects, name));

const brief = (objects: Objects, name?: string): readonly string[] =>
  (rendered(objects, name).status?.parents ?? []).map(({ conditions }) =>
    conditions.map(({ status, reason }) => `${status}/${reason}`).join(" "),
  );

const policies = (first: unknown, second: unknown): Objects =>
  withListeners([
    { name: UDP, port: 1, protocol: "TURN-UDP", allowedRoutes: { namespaces: first as object } },
    { name: TCP, port: 2, protocol: "TURN-TCP", ...(second ? { allowedRoutes: { namespaces: second } } : {}) },
  ]);

const namespace = (name: string, labels: object): unknown => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});

describe("attachment", () => {
  it("is to the listener that the route names", () => {
    expect(attached(fixture)).toEqual([1, 0]);
    expect(routesOn(fixture)).toEqual([["testnamespace/udproute-ok"], []]);
  });

  it("needs the Gateway's namespace, kind and group", () => {
    const objects = plus(
      fixture,
      udpRoute("another", toGateway()),
      udpRoute("wrong-namespace", toGateway({ namespace: "dummy" })),
      udpRoute("wrong-kind", toGateway({ kind: "Service" })),
      udpRoute("wrong-group", toGateway({ group: "dummy" })),
    );
    expect(attached(objects)).toEqual([2, 1]);
  });

  it("takes routes of both groups, sorted by name", () => {
    const objects = plus(fixture, gatewayApiRoute("a-route", toGateway({ sectionName: UDP })));
    expect(routesOn(objects)[0]).toEqual(["testnamespace/a-route", "testnamespace/udproute-ok"]);
  });

  it("masks a Gateway API route by a native one of its name", () => {
    const objects = plus(fixture, gatewayApiRoute("udproute-ok", toGateway({ sectionName: TCP })));
    expect(attached(objects)).toEqual([1, 0]);
    const masked = routeOf(without(objects, "UDPRoute"));
    const result = renderRoute(see(objects), optionsWith(), masked);
    expect(result).toMatchObject({ outcome: "masked", resolved: true });
    expect(result.status?.parents[0]?.conditions.map(({ reason }) => reason)).toEqual(["Pending", "ResolvedRefs"]);
  });

  it("is to the own namespace unless a listener allows all", () => {
    const objects = plus(
      policies({ from: "All" }, { from: "Same" }),
      udpRoute("local", toGateway()),
      udpRoute("far", toGateway({ namespace: "testnamespace" }), "other"),
    );
    expect(routesOn(objects)).toEqual([
      ["other/far", "testnamespace/local", "testnamespace/udproute-ok"],
      ["testnamespace/local"],
    ]);
  });

  it("is by the namespace's labels where a listener selects", () => {
    const objects = plus(
      policies({ from: "Selector", selector: { matchLabels: { team: "rtc" } } }, { from: "Selector" }),
      namespace("rtc", { team: "rtc" }),
      namespace("web", { team: "web" }),
      ...["rtc", "web", "unknown"].map((where) => udpRoute("far", toGateway({ namespace: "testnamespace" }), where)),
    );
    expect(routesOn(objects)).toEqual([["rtc/far"], []]);
  });

  it("is to the own namespace where nothing is said, or something unknown", () => {
    const far = udpRoute("far", toGateway({ namespace: "testnamespace" }), "other");
    expect(attached(plus(policies({ from: "Odd" }, undefined), far))).toEqual([1, 0]);
  });

  it("is nowhere with an unknown section", () =>
    expect(attached(withParents({ name: "gateway-1", sectionName: "dummy" }))).toEqual([0, 0]));

  it("is to every listener that a parentRef names", () => {
    const objects = plus(
      withParents({ name: "gateway-1", sectionName: UDP }, { name: "gateway-1", sectionName: TCP }),
      udpRoute("more", toGateway({ sectionName: UDP })),
    );
    expect(attached(objects)).toEqual([2, 1]);
  });

  it("counts a route once for every parentRef that reaches the listener", () => {
    const objects = withParents({ name: "gateway-1" }, { name: "gateway-1", sectionName: UDP });
    expect(attached(objects)).toEqual([2, 1]);
    expect(routesOn(objects)[0]).toEqual(["testnamespace/udproute-ok", "testnamespace/udproute-ok"]);
    expect(render(objects).config?.clusters).toHaveLength(1);
  });

  it("does not look at ports", () => expect(attached(withParents({ name: "gateway-1", port: 99 }))).toEqual([1, 1]));
});

describe("a route's status", () => {
  const good = "True/Accepted True/ResolvedRefs";
  const resolved = patched(fixture, "Service", { spec: { clusterIP: "4.3.2.1" } });

  it("is accepted and resolved", () => {
    expect(brief(resolved)).toEqual(["True/Accepted True/ResolvedRefs"]);
    expect(rendered(resolved)).toMatchObject({ outcome: "attached", resolved: true, why: "attached" });
    expect(rendered(resolved).status?.parents[0]).toMatchObject({
      controllerName: "stunner.l7mp.io/gateway-operator",
      parentRef: { group: "gateway.networking.k8s.io", kind: "Gateway", name: "gateway-1", sectionName: UDP },
    });
  });

  it("has an entry for every parentRef, in their order", () => {
    const parents = [{ name: "gateway-1" }, { name: "gateway-1", sectionName: "dummy" }, { name: "dummy" }];
    expect(brief(withParents(...parents))).toEqual([
      good,
      "False/NotAllowedByListeners True/ResolvedRefs",
      "False/NoMatchingParent True/ResolvedRefs",
    ]);
  });

  it("is not accepted if no listener has the section", () => {
    const objects = withParents({ name: "gateway-1", sectionName: "dummy" });
    expect(brief(objects)).toEqual(["False/NotAllowedByListeners True/ResolvedRefs"]);
    expect(rendered(objects).outcome).toBe("detached");
  });

  it.each([
    ["of its own group", { group: "stunner.l7mp.io", kind: "UDPRoute" }, "True/Accepted"],
    ["of the Gateway API", { kind: "UDPRoute" }, "False/NotAllowedByListeners"],
    ["of another kind", { kind: "HTTPRoute" }, "False/NotAllowedByListeners"],
  ])("follows the kinds that a listener allows: %s", (_, kind, expected) => {
    const allowedRoutes = { kinds: [kind] };
    const objects = withListeners([{ name: UDP, port: 1, protocol: "UDP", allowedRoutes }]);
    expect(brief(objects)).toEqual([`${expected} True/ResolvedRefs`]);
  });

  it("follows the namespace policy of the listeners", () => {
    const far = udpRoute("far", toGateway({ namespace: "testnamespace" }), "other");
    expect(brief(plus(policies({ from: "All" }, undefined), far), "far")[0]).toMatch(/^True\/Accepted/);
    expect(brief(plus(policies({ from: "Same" }, undefined), far), "far")[0]).toMatch(/^False\/NotAllowedByListeners/);
  });

  it.each([
    ["an absent Service", [{ name: "dummy" }], "BackendNotFound"],
    [
      "an absent StaticService before a present one",
      [
        { group: "stunner.l7mp.io", kind: "StaticService", name: "absent" },
        { group: "stunner.l7mp.io", kind: "StaticService", name: "teststaticservice-ok" },
      ],
      "BackendNotFound",
    ],
    ["ports that cannot match", [{ name: "testservice-ok", port: 10, endPort: 9 }], "UnsupportedValue"],
    ["a backend of another kind", [{ kind: "dummy", name: "x" }], "InvalidKind"],
    ["several problems, the last one", [{ name: "dummy" }, { kind: "dummy", name: "x" }], "InvalidKind"],
  ])("does not resolve with %s", (_, backends, reason) => {
    expect(brief(withBackends(backends, resolved))).toEqual([`True/Accepted False/${reason}`]);
    expect(rendered(withBackends(backends, resolved)).resolved).toBe(false);
  });

  it("is left as it is once none of its Gateways is ours", () =>
    expect(rendered(without(fixture, "Gateway"))).toMatchObject({ outcome: "uncontrolled", status: undefined }));

  it("keeps the entries of other controllers and drops our own of before", () => {
    const foreign = { parentRef: { name: "mesh" }, controllerName: "example.org/mesh", conditions: [] };
    const old = { parentRef: { name: "old" }, controllerName: "stunner.l7mp.io/gateway-operator", conditions: [] };
    const objects = patched(fixture, "UDPRoute", { status: { parents: [null, "odd", {}, foreign, old] } });
    const parents = rendered(objects).status?.parents ?? [];
    expect(parents.map(({ parentRef }) => parentRef.name)).toEqual(["gateway-1", "mesh"]);
    expect(parents[1]).toBe(foreign);
  });

  it("says nothing to parents of other kinds or of other controllers' Gateways", () => {
    const other = patched(fixture, "Gateway", { metadata: { name: "foreign" }, spec: { gatewayClassName: "foreign" } });
    const objects = plus(
      withParents({ name: "gateway-1" }, { name: "foreign" }, { group: "", kind: "Service", name: "x" }),
      other.find(({ kind }) => kind === "Gateway"),
    );
    expect(brief(objects)).toEqual([good]);
  });
});
