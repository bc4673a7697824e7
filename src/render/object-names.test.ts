import { describe, expect, it } from "vitest";
import {
  gateway1,
  optionsWith,
  owned,
  patched,
  render,
  see,
  TCP,
  withListeners,
  type Objects,
} from "../../test/render/fixture.ts";
import type { Service } from "../resources/core.ts";
import { nameOf } from "../resources/keys.ts";
import { objectNameProblem, portNameProblem } from "./object-names.ts";
import { renderGateway } from "./render.ts";

describe("a Gateway's name", () => {
  const problem = (kind: "Service" | "Deployment", name: string) => objectNameProblem(kind, nameOf("ns", name));

  it.each(["gw", "g", "gateway-1", "a".repeat(63)])("can be that of a Service and a Deployment: %s", (name) => {
    expect(problem("Service", name)).toBeUndefined();
    expect(problem("Deployment", name)).toBeUndefined();
  });

  it.each(["my.gateway", "1gateway"])("cannot be that of a Service, and can be that of a Deployment: %s", (name) => {
    expect(problem("Service", name)).toContain(`the Gateway's Service cannot be named ns/${name}`);
    expect(problem("Deployment", name)).toBeUndefined();
  });

  it.each(["Gateway", "-gw", "gw-", "a".repeat(64), "g_w"])("cannot be that of either: %s", (name) => {
    expect(problem("Service", name)).toContain(name);
    expect(problem("Deployment", name)).toContain("the Gateway's Deployment cannot be named");
  });

  it.each([
    ["my.gateway", ["Deployment"]],
    ["1gateway", ["Deployment"]],
    ["g".repeat(64), []],
  ])("says in the status what cannot be made: %s", (name, made) => {
    const objects = patched(owned(), "Gateway", { metadata: { name } });
    const rendered = renderGateway(see(objects), optionsWith(), nameOf("testnamespace", name));
    expect(rendered?.objects.map(({ kind }) => kind)).toEqual(made);
    expect(rendered?.status.conditions[1]).toMatchObject({
      type: "Programmed",
      status: "False",
      reason: "Invalid",
      message: expect.stringContaining(`Service cannot be named testnamespace/${name}`),
    });
  });
});

describe("a listener's name", () => {
  const listeners: Objects = withListeners(
    [
      { name: "media.udp", port: 1, protocol: "TURN-UDP" },
      { name: "l".repeat(64), port: 3, protocol: "TURN-TCP" },
      { name: TCP, port: 2, protocol: "TURN-TCP" },
    ],
    owned(),
  );

  it.each(["udp", "1", "1a-2", "p".repeat(63)])("can be that of a port: %s", (name) =>
    expect(portNameProblem(name)).toBeUndefined(),
  );
  it.each(["media.udp", "UDP", "-a", "a-", "p".repeat(64)])("cannot be that of a port: %s", (name) =>
    expect(portNameProblem(name)).toContain(`named ${name}`),
  );

  it("keeps only that listener from being served", () => {
    const { config, status, objects } = render(listeners);
    expect(config?.listeners?.map(({ name }) => name)).toEqual([`${gateway1}/${TCP}`]);
    const [service] = objects as readonly Service[];
    expect(service?.spec?.ports?.map(({ name }) => name)).toEqual([TCP]);
    expect(status.listeners.map(({ conditions: [accepted] }) => `${accepted?.status}/${accepted?.reason}`)).toEqual([
      "False/Invalid",
      "False/Invalid",
      "True/Accepted",
    ]);
    expect(status.conditions[1]).toMatchObject({ reason: "Invalid", message: expect.stringContaining("media.udp") });
  });

  it("may be any where there is no Service", () => {
    const rendered = renderGateway(see(listeners), optionsWith({ mode: "standalone" }), gateway1);
    expect(rendered?.config?.listeners).toHaveLength(3);
  });
});
