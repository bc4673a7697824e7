import { describe, expect, it } from "vitest";
import {
  fixture,
  gateway1,
  optionsWith,
  owned,
  patched,
  plus,
  podIPs,
  render,
  see,
  service,
  slice,
  udpRoute,
  withGatewayAnnotations,
  without,
  type Objects,
} from "../../test/render/fixture.ts";
import type { Name } from "../resources/keys.ts";
import { renderFinalizingGateway, renderFinalizingGatewayClass, renderGateway } from "./render.ts";

const emitted = (objects: Objects): readonly string[] => render(objects).objects.map(({ kind }) => kind);
const removed = (objects: Objects): readonly string[] => render(objects).removals.map(({ kind }) => kind);

describe("a managed Gateway", () => {
  it("has a config, a Service and a Deployment, and no DaemonSet", () => {
    const { config, objects, removals, status } = render(owned());
    expect(config?.admin.name).toBe("testnamespace/gateway-1");
    expect(config?.clusters).toHaveLength(1);
    expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`)).toEqual([
      "Service testnamespace/gateway-1",
      "Deployment testnamespace/gateway-1",
    ]);
    expect(removals).toEqual([{ kind: "DaemonSet", name: "testnamespace/gateway-1" }]);
    expect(status.conditions[1]).toMatchObject({ type: "Programmed", status: "True" });
  });

  it.each(["true", "TRUE"])(
    "has no workload if disable-managed-dataplane is %s, but a Service and a config",
    (value) => {
      const objects = withGatewayAnnotations({ "stunner.l7mp.io/disable-managed-dataplane": value });
      expect(emitted(objects)).toEqual(["Service"]);
      expect(removed(objects)).toEqual(["Deployment", "DaemonSet"]);
      expect(render(objects).config).toBeDefined();
    },
  );

  it("leaves the relayed address to the dataplane's pod, or with enable-relay-address-discovery to its node", () => {
    const addressesOf = (objects: Objects) => new Set(render(objects).config?.listeners?.map(({ address }) => address));
    const discovery = { "stunner.l7mp.io/enable-relay-address-discovery": "true" };
    expect(addressesOf(owned())).toEqual(new Set(["$STUNNER_ADDR"]));
    expect(addressesOf(withGatewayAnnotations(discovery))).toEqual(new Set(["__node_address_placeholder"]));
    // Nobody replaces it in a ConfigMap.
    expect(
      new Set(
        render(withGatewayAnnotations(discovery), optionsWith({ mode: "legacy" })).config?.listeners?.map(
          ({ address }) => address,
        ),
      ),
    ).toEqual(new Set(["$STUNNER_ADDR"]));
  });

  it("leaves the dataplane to others only by its own annotation", () => {
    const annotations = { "stunner.l7mp.io/disable-managed-dataplane": "true" };
    const objects = patched(fixture, "GatewayConfig", { spec: { loadBalancerServiceAnnotations: annotations } });
    expect(emitted(objects)).toEqual(["Service", "Deployment"]);
  });

  it("loses Service and workload while it is invalid", () => {
    const objects = patched(fixture, "GatewayConfig", { spec: { password: null } });
    expect(render(objects)).toMatchObject({ config: undefined, objects: [], draining: {} });
    expect(removed(objects)).toEqual(["Service", "Deployment", "DaemonSet"]);
    expect(render(objects).listeners.map(({ outcome }) => outcome)).toEqual(["pending", "pending"]);
  });

  it("neither takes over nor removes what is not its own", () => {
    const foreign = plus(fixture, service("gateway-1", "1.1.1.1"));
    expect(emitted(foreign)).toEqual(["Deployment"]);
    expect(removed(patched(foreign, "GatewayConfig", { spec: { password: null } }))).toEqual([
      "Deployment",
      "DaemonSet",
    ]);
  });

  it("has its clusters and routes sorted by name", () => {
    const spec = { parentRefs: [{ name: "gateway-1" }], rules: [{ backendRefs: [{ name: "testservice-ok" }] }] };
    const { config } = render(plus(fixture, udpRoute("z", spec), udpRoute("a", spec), udpRoute("m", spec)));
    const names = ["a", "m", "udproute-ok", "z"].map((name) => `testnamespace/${name}`);
    expect(config?.clusters?.map(({ name }) => name)).toEqual(names);
    expect(config?.listeners?.[0]?.routes).toEqual(names);
  });

  it("of another class is rendered by that class, with the same route", () => {
    const second = { apiVersion: "gateway.networking.k8s.io/v1", metadata: { name: "gateway-2", namespace: "dummy" } };
    const objects = plus(
      patched(owned(), "UDPRoute", {
        spec: {
          parentRefs: [{ name: "gateway-1" }, { name: "gateway-2", namespace: "dummy" }],
          rules: [{ backendRefs: [{ name: "testservice-ok", port: 10, endPort: 100 }, { name: "dummy-service" }] }],
        },
      }),
      slice("dummy", "dummy-service", ["4.4.4.4"]),
      ...patched(fixture, "GatewayClass", { metadata: { name: "second" } }).filter(
        ({ kind }) => kind === "GatewayClass",
      ),
      {
        ...second,
        kind: "Gateway",
        spec: {
          gatewayClassName: "second",
          listeners: [{ name: "udp", port: 3, protocol: "UDP", allowedRoutes: { namespaces: { from: "All" } } }],
        },
      },
    );
    const endpoints = [...podIPs.map((address) => `${address}:<10-100>`), "4.4.4.4"];
    const other = renderGateway(see(objects), optionsWith(), "dummy/gateway-2" as Name);
    expect(render(objects).config?.clusters?.[0]?.endpoints).toEqual(endpoints);
    expect(other?.config?.clusters?.[0]?.endpoints).toEqual(endpoints);
    expect(other?.status.conditions[1]?.reason).toBe("AddressNotAssigned");
  });

  it("is rendered alike whatever the order of the objects", () => {
    const objects = plus(owned(), udpRoute("a", { parentRefs: [{ name: "gateway-1" }], rules: [{}] }));
    expect(JSON.stringify(render(objects.toReversed()))).toBe(JSON.stringify(render(objects)));
  });
});

describe("when the operator is removed", () => {
  const options = optionsWith();

  it("a Gateway loses what is managed and says why", () => {
    const rendered = renderFinalizingGateway(see(owned()), options, gateway1);
    expect(rendered).toMatchObject({ config: undefined, objects: [], status: { addresses: [] } });
    expect(rendered?.removals.map(({ kind }) => kind)).toEqual(["Service", "Deployment", "DaemonSet"]);
    expect(rendered?.status.conditions[0]?.message).toContain("graceful shutdown");
  });

  it("a class is no longer accepted", () =>
    expect(renderFinalizingGatewayClass(see(fixture), options, "gatewayclass-ok")?.status.conditions[0]).toMatchObject({
      status: "False",
      reason: "InvalidParameters",
    }));

  it("nobody else's is touched", () => {
    const objects = without(fixture, "GatewayClass");
    expect(renderFinalizingGateway(see(objects), options, gateway1)).toBeUndefined();
    expect(renderFinalizingGatewayClass(see(objects), options, "gatewayclass-ok")).toBeUndefined();
  });
});
