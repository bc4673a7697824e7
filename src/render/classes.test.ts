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
    ["does not exist (GC-1)", without(fixture, "GatewayClass")],
    ["is another controller's (GC-3)", patched(fixture, "GatewayClass", { spec: { controllerName: "dummy" } })],
    ["has no parameters (GC-4)", withReference(null)],
    ["has parameters of another group (GC-5)", withReference({ group: "dummy" })],
    ["has parameters of another kind (GWC-3)", withReference({ kind: "dummy" })],
    ["has parameters without a name (GC-6)", withReference({ name: "" })],
    ["has parameters without a namespace (GC-7)", withReference({ namespace: null })],
    ["has parameters of an empty namespace (GC-8)", withReference({ namespace: "" })],
  ])("is left alone, and its Gateways with it, if it %s", (_, objects) => {
    expect(renderGatewayClass(see(objects), options, "gatewayclass-ok")).toBeUndefined();
    expect(renderGateway(see(objects), options, gateway1)).toBeUndefined();
    expect(renderRoute(see(objects), options, routeOf(objects))).toMatchObject({
      outcome: "uncontrolled",
      status: undefined,
    });
  });

  it("is one of several that are ours (GC-2)", () => {
    const second = patched(fixture, "GatewayClass", { metadata: { name: "second" } });
    const objects = [...fixture, ...second.filter(({ kind }) => kind === "GatewayClass")];
    expect(acceptance(objects)?.status).toBe("True");
    expect(acceptance(objects, "second")?.status).toBe("True");
  });

  it("is accepted with its parameters, at its generation (GC-9, GC-10)", () =>
    expect(acceptance(patched(fixture, "GatewayClass", { metadata: { generation: 1 } }))).toMatchObject({
      type: "Accepted",
      status: "True",
      reason: "Accepted",
      message: expect.stringContaining('"stunner.l7mp.io/gateway-operator"'),
      observedGeneration: 1,
    }));

  it.each([
    ["no GatewayConfig (GWC-1, DX-8)", without(fixture, "GatewayConfig"), "testnamespace/gatewayconfig-ok"],
    ["a GatewayConfig in another namespace (GWC-2)", withReference({ namespace: "other" }), "other/gatewayconfig-ok"],
    ["a GatewayConfig of another name (GWC-4)", withReference({ name: "other" }), "testnamespace/other"],
    ["no Dataplane (DX-10)", without(fixture, "Dataplane"), "Dataplane default"],
  ])("is not accepted with %s, nor are its Gateways (GC-11)", (_, objects, named) => {
    expect(acceptance(objects)).toMatchObject({
      status: "False",
      reason: "InvalidParameters",
      message: expect.stringContaining(named),
    });
    expect(render(objects)).toMatchObject({ config: undefined, objects: [], invalid: expect.stringContaining(named) });
  });

  it("stays accepted when its Gateways are invalid (DX-11)", () => {
    const objects = patched(fixture, "GatewayConfig", { spec: { password: null } });
    expect(acceptance(objects)?.status).toBe("True");
    expect(render(objects).invalid).toBeDefined();
  });

  it("needs no Dataplane where there is no cluster", () => {
    const standalone = optionsWith({ mode: "standalone" });
    const objects = without(fixture, "Dataplane");
    expect(renderGatewayClass(see(objects), standalone, "gatewayclass-ok")?.status.conditions[0]?.status).toBe("True");
  });

  it("does not control Gateways of another name (GW-1, CL-6)", () => {
    const objects = patched(fixture, "Gateway", { spec: { gatewayClassName: "dummy" } });
    expect(renderGateway(see(objects), options, gateway1)).toBeUndefined();
    expect(renderRoute(see(objects), options, routeOf(objects)).outcome).toBe("uncontrolled");
  });
});
