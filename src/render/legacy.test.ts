import { describe, expect, it } from "vitest";
import {
  fixture,
  gateway1,
  optionsWith,
  owned,
  patched,
  plus,
  render,
  see,
  service,
  udpRoute,
  without,
  type Objects,
} from "../../test/render/fixture.ts";
import type { RenderOptions } from "../resources/view.ts";
import { renderConfigMap, renderFinalizingGateway, renderGateway, renderGatewayClass } from "./render.ts";

const legacy = optionsWith({ mode: "legacy" });

const configMapOf = (objects: Objects, className = "gatewayclass-ok", options: RenderOptions = legacy) => {
  const view = see(objects, options);
  return renderConfigMap(view, options, className, (name) => renderGateway(view, options, name));
};
const configOf = (objects: Objects, className?: string, options?: RenderOptions) =>
  configMapOf(objects, className, options)?.config;
const ofKind = (kind: string): readonly unknown[] => fixture.filter((object) => object.kind === kind);

const secondGateway = (className = "gatewayclass-ok", namespace = "testnamespace") => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: { name: "gateway-2", namespace },
  spec: { gatewayClassName: className, listeners: [{ name: "udp", port: 1, protocol: "TURN-UDP" }] },
});

/** A second class, whose config is in the namespace. */
const secondClass = (namespace: string): readonly unknown[] => [
  ...patched(ofKind("GatewayClass") as Objects, "GatewayClass", {
    metadata: { name: "second" },
    spec: { parametersRef: { name: "second-config", namespace } },
  }),
  ...patched(ofKind("GatewayConfig") as Objects, "GatewayConfig", {
    metadata: { name: "second-config", namespace },
    spec: { realm: "second" },
  }),
  secondGateway("second", namespace),
];

describe("the ConfigMap of a class in legacy mode", () => {
  it("stands beside the GatewayConfig, and says whose it is", () => {
    const objects = patched(fixture, "GatewayConfig", { metadata: { uid: "config-uid" } });
    expect(configMapOf(objects)).toMatchObject({
      name: "testnamespace/stunnerd-config",
      object: {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: {
          name: "stunnerd-config",
          namespace: "testnamespace",
          labels: { "stunner.l7mp.io/owned-by": "stunner" },
          annotations: { "stunner.l7mp.io/related-gateway-name": "/gatewayclass-ok" },
          ownerReferences: [
            { apiVersion: "stunner.l7mp.io/v1", kind: "GatewayConfig", name: "gatewayconfig-ok", uid: "config-uid" },
          ],
        },
      },
    });
    expect(configMapOf(objects)?.object).not.toHaveProperty("data");
  });

  it("has the class's settings, and nothing of a Dataplane", () => {
    const objects = patched(fixture, "Dataplane", {
      spec: { enableMetricsEndpoint: true, disableHealthCheck: true, offloadEngine: "XDP" },
    });
    for (const known of [objects, without(fixture, "Dataplane")])
      expect(configOf(known)?.admin).toEqual({
        name: "stunner-daemon",
        loglevel: "testloglevel",
        healthcheck_endpoint: "http://:8086",
        offload_engine: "None",
      });
  });

  it("has listeners and routes of its Gateway", () => {
    const config = configOf(owned(), undefined, { ...legacy, endpointDiscovery: false });
    expect(config?.listeners).toMatchObject([
      { name: `${gateway1}/gateway-1-listener-udp`, public_address: "1.2.3.4", routes: ["testnamespace/udproute-ok"] },
      { name: `${gateway1}/gateway-1-listener-tcp`, public_address: "1.2.3.4" },
    ]);
    expect(config?.listeners?.[1]).not.toHaveProperty("routes");
    expect(config?.clusters).toMatchObject([
      { type: "STRICT_DNS", endpoints: ["testservice-ok.testnamespace.svc.cluster.local"] },
    ]);
  });

  it("has the listeners of all its Gateways, and one cluster for a route of several", () => {
    const spec = {
      parentRefs: [{ name: "gateway-1" }, { name: "gateway-2" }],
      rules: [{ backendRefs: [{ name: "testservice-ok" }] }],
    };
    const config = configOf(plus(fixture, secondGateway(), udpRoute("a-route", spec)));
    expect(config?.listeners?.map(({ name, port }) => `${name} ${port}`)).toEqual([
      "testnamespace/gateway-1/gateway-1-listener-udp 1",
      "testnamespace/gateway-1/gateway-1-listener-tcp 2",
      "testnamespace/gateway-2/udp 1",
    ]);
    expect(config?.listeners?.[2]?.routes).toEqual(["testnamespace/a-route"]);
    expect(config?.clusters?.map(({ name }) => name)).toEqual(["testnamespace/a-route", "testnamespace/udproute-ok"]);
  });

  it("remains, without listeners, when there are no Gateways", () => {
    const config = configOf(without(fixture, "Gateway"));
    expect(Object.keys(config ?? {})).toEqual(["version", "admin", "auth"]);
  });

  it("is empty while the class cannot be rendered, and the Gateway says so", () => {
    const objects = patched(fixture, "GatewayConfig", { spec: { password: null } });
    expect(configMapOf(objects)).toMatchObject({ name: "testnamespace/stunnerd-config", config: undefined });
    const { status, removals } = render(objects, legacy);
    expect(status.conditions).toMatchObject([
      { type: "Accepted", status: "False", reason: "Pending" },
      { type: "Programmed", status: "False", reason: "Invalid" },
    ]);
    expect(removals).toEqual([]);
    expect(renderGatewayClass(see(objects), legacy, "gatewayclass-ok")?.status.conditions[0]?.status).toBe("True");
  });

  it("is not there without a GatewayConfig, or for a class that is not ours", () => {
    expect(configMapOf(without(fixture, "GatewayConfig"))).toBeUndefined();
    expect(configMapOf(fixture, "other")).toBeUndefined();
  });

  it("is separate for each class", () => {
    const objects = plus(fixture, ...secondClass("dummy"));
    expect(configMapOf(objects)?.config?.listeners).toHaveLength(2);
    expect(configMapOf(objects, "second")).toMatchObject({
      name: "dummy/stunnerd-config",
      config: { auth: { realm: "second" }, listeners: [{ name: "dummy/gateway-2/udp" }] },
    });
  });

  it("is the first class's where two would have the same, and the second says so", () => {
    const objects = plus(fixture, ...secondClass("testnamespace"));
    expect(configMapOf(objects)?.config?.listeners).toHaveLength(2);
    expect(configMapOf(objects, "second")).toBeUndefined();
    const message = expect.stringContaining(
      "testnamespace/stunnerd-config has the config of GatewayClass gatewayclass-ok",
    );
    expect(renderGatewayClass(see(objects), legacy, "second")?.status.conditions[0]).toMatchObject({
      status: "False",
      message,
    });
    const alone = without(objects, "GatewayClass", "gatewayclass-ok");
    expect(configMapOf(alone, "second")?.config?.listeners).toHaveLength(1);
  });
});

describe("a Gateway in legacy mode", () => {
  it("has a Service for pods of anybody's making, and no workload", () => {
    const { objects, removals } = render(fixture, legacy);
    expect(objects.map(({ kind }) => kind)).toEqual(["Service"]);
    expect(objects[0]).toHaveProperty("spec.selector", { app: "stunner" });
    expect(removals).toEqual([]);
  });

  it("loses its Service when the operator is removed", () => {
    const rendered = renderFinalizingGateway(see(owned()), legacy, gateway1);
    expect(rendered?.removals).toEqual([{ kind: "Service", name: gateway1 }]);
  });

  it.each([
    ["its Service", service("gateway-1", "1.1.1.1"), "a Service named testnamespace/gateway-1 exists"],
    [
      "its ConfigMap",
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "stunnerd-config", namespace: "testnamespace" } },
      "a ConfigMap named testnamespace/stunnerd-config exists",
    ],
  ])("is not programmed if an object of another owner has the name of %s", (_, foreign, message) => {
    const programmed = render(plus(owned(), foreign), legacy).status.conditions[1];
    expect(programmed).toMatchObject({ status: "False", message: expect.stringContaining(message) });
  });
});
