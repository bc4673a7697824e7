import { describe, expect, it } from "vitest";
import {
  gateway1,
  fixture,
  optionsWith,
  patched,
  render,
  routeOf,
  see,
  without,
  type Objects,
} from "../../test/render/fixture.ts";
import type { Condition } from "../resources/core.ts";
import { renderGateway, renderGatewayClass, renderRoute } from "./render.ts";

const options = optionsWith();
const acceptance = (objects: Objects, name = "gatewayclass-ok"): Condition | undefined =>
  renderGatewayClass(see(objects), options, name)?.status.conditions[0];
const withReference = (parametersRef: unknown): Objects =>
  patched(fixture, "GatewayClass", { spec: { parametersRef } });

describe("a GatewayClass", () => {
  it.each([
    ["does not exist", without(fixture, "GatewayClass")],
    ["belongs to another controller", patched(fixture, "GatewayClass", { spec: { controllerName: "dummy" } })],
    ["has no parametersRef", withReference(null)],
    ["has a parametersRef of another group", withReference({ group: "dummy" })],
    ["has a parametersRef of another kind", withReference({ kind: "dummy" })],
    ["has a parametersRef without a name", withReference({ name: "" })],
    ["has a parametersRef without a namespace", withReference({ namespace: null })],
    ["has a parametersRef with an empty namespace", withReference({ namespace: "" })],
  ])("is left alone, and its Gateways with it, if it %s", (_, objects) => {
    expect(renderGatewayClass(see(objects), options, "gatewayclass-ok")).toBeUndefined();
    expect(renderGateway(see(objects), options, gateway1)).toBeUndefined();
    expect(renderRoute(see(objects), options, routeOf(objects))).toMatchObject({
      outcome: "uncontrolled",
      status: undefined,
    });
  });

  it("is accepted beside another class of the same controller", () => {
    const second = patched(fixture, "GatewayClass", { metadata: { name: "second" } });
    const objects = [...fixture, ...second.filter(({ kind }) => kind === "GatewayClass")];
    expect(acceptance(objects)?.status).toBe("True");
    expect(acceptance(objects, "second")?.status).toBe("True");
  });

  it("is accepted with its parameters and reports its generation", () =>
    expect(acceptance(patched(fixture, "GatewayClass", { metadata: { generation: 1 } }))).toMatchObject({
      type: "Accepted",
      status: "True",
      reason: "Accepted",
      message: expect.stringContaining('"stunner.l7mp.io/gateway-operator"'),
      observedGeneration: 1,
    }));

  it.each([
    ["no GatewayConfig", without(fixture, "GatewayConfig"), "testnamespace/gatewayconfig-ok"],
    [
      "a reference to a GatewayConfig in another namespace",
      withReference({ namespace: "other" }),
      "other/gatewayconfig-ok",
    ],
    ["a reference to a GatewayConfig of another name", withReference({ name: "other" }), "testnamespace/other"],
    ["no Dataplane", without(fixture, "Dataplane"), "Dataplane default"],
  ])("is not accepted with %s, and its Gateways are invalid", (_, objects, named) => {
    expect(acceptance(objects)).toMatchObject({
      status: "False",
      reason: "InvalidParameters",
      message: expect.stringContaining(named),
    });
    expect(render(objects)).toMatchObject({ config: undefined, objects: [], invalid: expect.stringContaining(named) });
  });

  it("stays accepted when the credentials of its Gateways are invalid", () => {
    const objects = patched(fixture, "GatewayConfig", { spec: { password: null } });
    expect(acceptance(objects)?.status).toBe("True");
    expect(render(objects).invalid).toBeDefined();
  });

  it("needs no Dataplane where there is no cluster", () => {
    const standalone = optionsWith({ mode: "standalone" });
    const objects = without(fixture, "Dataplane");
    expect(renderGatewayClass(see(objects), standalone, "gatewayclass-ok")?.status.conditions[0]?.status).toBe("True");
  });

  it("does not control Gateways that name another class, or their routes", () => {
    const objects = patched(fixture, "Gateway", { spec: { gatewayClassName: "dummy" } });
    expect(renderGateway(see(objects), options, gateway1)).toBeUndefined();
    expect(renderRoute(see(objects), options, routeOf(objects)).outcome).toBe("uncontrolled");
  });
});
