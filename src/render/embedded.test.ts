import { describe, expect, it } from "vitest";
import { configOf, fixture, optionsWith, render, TCP, UDP, withGatewayAnnotations } from "../../test/render/fixture.ts";

const selector = { "app.kubernetes.io/name": "turnpike" };
const embeddedIn = (namespace: string) => optionsWith({ embedded: { namespace, selector } });
const options = embeddedIn("testnamespace");

const serviceOf = (objects = fixture) =>
  render(objects, options).objects.find(({ kind }) => kind === "Service") as unknown as {
    readonly spec: {
      readonly selector: unknown;
      readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort: number }[];
    };
  };

describe("a relay in the operator's pods", () => {
  it("needs no Deployment, removes the one that is there, and is what the Service selects", () => {
    const { objects, removals } = render(fixture, options);
    expect(objects.map(({ kind }) => kind)).toEqual(["Service"]);
    expect(removals.map(({ kind }) => kind)).toEqual(["Deployment", "DaemonSet"]);
    expect(serviceOf().spec.selector).toEqual(selector);
  });

  it("binds each listener to a port of its own, which its name decides and the Service knows", () => {
    const ports = new Map(configOf(fixture, options).listeners?.map(({ name, port }) => [name.split("/")[2], port]));
    for (const port of ports.values()) {
      expect(port).toBeGreaterThanOrEqual(20_000);
      expect(port).toBeLessThan(30_000);
    }
    expect(ports.get(UDP)).not.toBe(ports.get(TCP));
    expect(serviceOf().spec.ports[0]).toMatchObject({ name: UDP, port: 1, targetPort: ports.get(UDP) });
    expect(configOf(fixture, options)).toEqual(configOf(fixture, options));
  });

  it("binds the port that the Gateway asks for", () => {
    const objects = withGatewayAnnotations({ "stunner.l7mp.io/targetport": `{"${UDP}":4711}` });
    expect(configOf(objects, options).listeners?.[0]?.port).toBe(4711);
    expect(serviceOf(objects).spec.ports[0]?.targetPort).toBe(4711);
  });

  it("does not reach Gateways of other namespaces, and says so", () => {
    const { objects, removals, status } = render(fixture, embeddedIn("elsewhere"));
    expect(objects).toEqual([]);
    expect(removals.map(({ kind }) => kind)).toContain("Service");
    const programmed = status.conditions.find(({ type }) => type === "Programmed");
    expect(programmed).toMatchObject({ status: "False", message: expect.stringContaining("elsewhere") });
  });
});
