import { describe, expect, it } from "vitest";
import {
  TCP,
  UDP,
  fixture,
  owned,
  patched,
  plus,
  render,
  service,
  withListeners,
  type Objects,
} from "../../test/render/fixture.ts";
import type { Condition } from "../resources/core.ts";

const brief = (conditions: readonly Condition[]): Readonly<Record<string, string>> =>
  Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status}/${reason}`]));

const ofGateway = (objects: Objects): unknown => brief(render(objects).status.conditions);
const ofListeners = (objects: Objects): readonly unknown[] =>
  render(objects).status.listeners.map(({ conditions }) => brief(conditions));

const fine = { Accepted: "True/Accepted", Conflicted: "False/NoConflicts", ResolvedRefs: "True/ResolvedRefs" };

describe("a Gateway's status", () => {
  it("is programmed once every listener has an address", () => {
    expect(ofGateway(fixture)).toEqual({ Accepted: "True/Accepted", Programmed: "False/AddressNotAssigned" });
    expect(render().status.addresses).toEqual([]);
    expect(ofGateway(owned())).toEqual({ Accepted: "True/Accepted", Programmed: "True/Programmed" });
    expect(render(owned()).status.addresses).toEqual([{ type: "IPAddress", value: "1.2.3.4" }]);
  });

  it("is invalid with the cause, without addresses, and its listeners are pending", () => {
    const objects = patched(owned(), "GatewayConfig", { spec: { password: null } });
    const { status, invalid } = render(objects);
    expect(ofGateway(objects)).toEqual({ Accepted: "False/Pending", Programmed: "False/Invalid" });
    expect(status.conditions.every(({ message }) => message.includes(invalid ?? "?"))).toBe(true);
    expect(status.addresses).toEqual([]);
    expect(ofListeners(objects)[0]).toEqual({ ...fine, Accepted: "Unknown/Pending" });
  });

  it("reports the generation of the Gateway in every condition", () => {
    const { status } = render(patched(fixture, "Gateway", { metadata: { generation: 3 } }));
    const all = [...status.conditions, ...status.listeners.flatMap(({ conditions }) => conditions)];
    expect(all.map(({ observedGeneration }) => observedGeneration)).toEqual(Array(8).fill(3));
    expect(render().status.conditions[0]?.observedGeneration).toBe(0);
  });

  it("has three conditions for every listener", () => expect(ofListeners(fixture)).toEqual([fine, fine]));

  it("reports a certificate that cannot be used", () => {
    const tls = { mode: "Terminate", certificateRefs: [{ name: "absent" }] };
    const objects = withListeners(
      [
        { name: UDP, port: 1, protocol: "TURN-UDP" },
        { name: TCP, port: 2, protocol: "TURN-TLS", tls },
      ],
      owned(),
    );
    expect(ofListeners(objects)).toEqual([fine, { ...fine, ResolvedRefs: "False/InvalidCertificateRef" }]);
    expect(ofGateway(objects)).toEqual({ Accepted: "True/ListenersNotValid", Programmed: "False/Invalid" });
  });

  it("reports a protocol that is not supported", () => {
    const listeners = [
      { name: UDP, port: 1, protocol: "TURN-UDP" },
      { name: "dummy", port: 5, protocol: "dummy" },
      { name: TCP, port: 2, protocol: "TURN-TCP" },
    ];
    const objects = withListeners(listeners, owned());
    expect(ofListeners(objects)).toEqual([fine, { ...fine, Accepted: "False/UnsupportedProtocol" }, fine]);
    expect(ofGateway(objects)).toEqual({ Accepted: "True/ListenersNotValid", Programmed: "False/AddressNotAssigned" });
    const { status } = render(objects);
    expect(status.listeners[1]?.supportedKinds).toEqual([]);
    expect(status.conditions[0]?.message).toContain("listeners not valid: dummy (protocol dummy is not supported)");
  });

  it("is not accepted where no listener can be served", () => {
    const objects = withListeners([{ name: "dummy", port: 5, protocol: "dummy" }], owned());
    expect(ofGateway(objects)).toMatchObject({ Accepted: "False/ListenersNotValid" });
  });

  describe("with kinds of routes", () => {
    const kinds = (...allowed: readonly { readonly group?: string; readonly kind: string }[]) =>
      withListeners([{ name: UDP, port: 1, protocol: "UDP", allowedRoutes: { kinds: allowed } }], owned());
    const http = { kind: "HTTPRoute" };
    const standard = { group: "gateway.networking.k8s.io", kind: "UDPRoute" };
    const native = { group: "stunner.l7mp.io", kind: "UDPRoute" };

    it.each([
      ["none", [], [standard, native], "True/ResolvedRefs", 1, "True/Accepted"],
      ["its own", [native], [native], "True/ResolvedRefs", 1, "True/Accepted"],
      ["the Gateway API's, by default", [{ kind: "UDPRoute" }], [standard], "True/ResolvedRefs", 0, "True/Accepted"],
      ["both, twice", [native, standard, native], [standard, native], "True/ResolvedRefs", 1, "True/Accepted"],
      ["another one beside its own", [http, native], [native], "False/InvalidRouteKinds", 1, "True/ListenersNotValid"],
      ["another one", [http], [], "False/InvalidRouteKinds", 0, "False/ListenersNotValid"],
      [
        "the core group's",
        [{ group: "", kind: "UDPRoute" }],
        [],
        "False/InvalidRouteKinds",
        0,
        "False/ListenersNotValid",
      ],
    ])("supports those that it names: %s", (_, allowed, supported, resolved, attachedRoutes, ofTheGateway) => {
      const objects = kinds(...allowed);
      expect(render(objects).status.listeners[0]).toMatchObject({ supportedKinds: supported, attachedRoutes });
      expect(ofListeners(objects)).toEqual([{ ...fine, ResolvedRefs: resolved }]);
      expect(ofGateway(objects)).toMatchObject({ Accepted: ofTheGateway });
      expect(render(objects).config?.listeners?.length ?? 0).toBe(supported.length === 0 ? 0 : 1);
    });
  });

  it("reports an object of the Gateway's name that is not managed by Turnpike", () => {
    const objects = plus(owned(), service("gateway-1", "1.1.1.1"));
    const { status } = render(objects);
    expect(status.conditions[1]).toMatchObject({
      status: "False",
      message: "a Service named testnamespace/gateway-1 exists and is not managed by Turnpike",
    });
  });

  it("supports the routes of both groups", () =>
    expect(render().status.listeners[0]?.supportedKinds).toEqual([
      { group: "gateway.networking.k8s.io", kind: "UDPRoute" },
      { group: "stunner.l7mp.io", kind: "UDPRoute" },
    ]));
});
