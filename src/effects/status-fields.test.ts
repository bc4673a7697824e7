import { describe, expect, it } from "vitest";
import { startFakeApi } from "../../test/support/fake-api.ts";
import { ApiError } from "../kubernetes/api.ts";
import type { Name } from "../resources/keys.ts";
import { kindOf } from "../resources/kinds.ts";
import { applyStatus } from "./objects.ts";
import { withoutFields } from "./status-fields.ts";

const status = {
  addresses: [{ type: "IPAddress", value: "node1.example.org" }],
  conditions: [{ type: "Accepted" }, { type: "Programmed" }],
  listeners: [{ name: "udp" }],
};

describe("a status without what is refused", () => {
  it.each([
    [["status.addresses[0].value"], { conditions: status.conditions, listeners: status.listeners }],
    [["status.addresses"], { conditions: status.conditions, listeners: status.listeners }],
    [["status.conditions[1].message"], { ...status, conditions: [{ type: "Accepted" }] }],
    [["status.listeners[0]", "status.addresses[0]"], { conditions: status.conditions }],
  ])("%j keeps the rest", (paths, rest) => expect(withoutFields(status, paths)).toEqual(rest));

  it.each([[["metadata.name"]], [["status.unknown"]], [["status"]], [[]]])("is nothing where %j is refused", (paths) =>
    expect(withoutFields(status, paths)).toBeUndefined(),
  );

  it("is nothing where nothing is left", () =>
    expect(withoutFields({ addresses: [{}] }, ["status.addresses[0]"])).toBeUndefined());
});

describe("a status that the API server refuses", () => {
  const refusal = (causes: readonly object[]) =>
    JSON.stringify({ kind: "Status", reason: "Invalid", message: "it is invalid", details: { causes } });

  it.each([
    ["one field of", [{ field: "status.addresses[0].value", message: "must be of type ipv4" }]],
    ["without any of its fields", []],
  ])("%s is written without it, and the refusal is reported", async (_, causes) => {
    const server = await startFakeApi();
    const path = "/apis/gateway.networking.k8s.io/v1/namespaces/ns/gateways/gw/status";
    server.answer({ of: (asked) => asked.path === path, status: 422, body: refusal(causes) });
    server.answer({ of: (asked) => asked.path === path, status: 200, body: "{}" });
    const api = server.connect();
    const failure: unknown = await applyStatus(
      api,
      kindOf("Gateway"),
      "v1",
      "ns/gw" as Name,
      "gateway.networking.k8s.io/v1",
      status,
    ).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApiError);
    expect(failure).toMatchObject({ status: 422, message: "it is invalid" });
    const written = server.asked
      .filter((asked) => asked.path === path)
      .map(({ body }) => Object.keys((JSON.parse(body) as { readonly status: object }).status));
    expect(written).toEqual([
      ["addresses", "conditions", "listeners"],
      ["conditions", "listeners"],
    ]);
    await api.close();
    await server.stop();
  });
});
