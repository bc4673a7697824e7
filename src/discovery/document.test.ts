import { describe, expect, it } from "vitest";
import { parseDocument, readConfig } from "./document.ts";
import { configOf } from "../../test/support/discovery.ts";
import { encodeConfig, isZeroConfig, zeroConfig } from "./protocol.ts";

const sound = JSON.parse(encodeConfig(configOf("ns/gw")));

describe("a document from outside", () => {
  it("comes out canonical", () => {
    const config = readConfig({
      Version: "v1",
      admin: { name: "ns/gw", logLevel: "all:DEBUG", new_field: 1 },
      auth: { type: "longterm", credentials: { secret: "s" } },
      listeners: [{ name: "l", protocol: "udp", port: "3479", routes: null }],
      clusters: null,
    });
    expect(config).toEqual({
      version: "v1",
      admin: { name: "ns/gw", loglevel: "all:DEBUG" },
      auth: { type: "ephemeral", realm: "stunner.l7mp.io", credentials: { secret: "s" } },
      listeners: [{ name: "l", protocol: "TURN-UDP", address: "0.0.0.0", port: 3479, routes: [] }],
      clusters: [],
    });
  });

  it("has further certificates and an HTTP backend, and keeps them on the wire", () => {
    const listener = {
      name: "l",
      protocol: "TURN-TLS",
      address: "0.0.0.0",
      port: 443,
      cert: "a",
      key: "b",
      certificates: [{ cert: "c", key: "d" }],
      http_backend: "[fd00::1]:443",
      http_backend_proxy_protocol: "v1",
      routes: [],
    };
    const config = readConfig({
      ...sound,
      listeners: [{ ...listener, certificates: [{ Cert: "c", key: "d", more: 1 }] }],
    });
    expect(config.listeners).toEqual([listener]);
    expect(readConfig(JSON.parse(encodeConfig(config)))).toEqual(config);
  });

  it("may be v1alpha1, if it names its authentication", () => {
    const alpha = { ...sound, version: "v1alpha1", auth: { ...sound.auth, type: "plaintext" } };
    expect(readConfig(alpha)).toMatchObject({ version: "v1", auth: { type: "static" } });
    const { type: _, ...untyped } = sound.auth;
    expect(() => readConfig({ ...alpha, auth: untyped })).toThrow("unknown authentication type");
    expect(readConfig({ ...sound, auth: untyped }).auth.type).toBe("static");
  });

  it("that is a zero config still is one afterwards", () => {
    expect(isZeroConfig(readConfig(JSON.parse(encodeConfig(zeroConfig("ns/gw")))))).toBe(true);
  });

  it.each([
    [null, "a config is an object"],
    [[], "a config is an object"],
    [{}, "unsupported API version"],
    [{ ...sound, version: "v2" }, "unsupported API version"],
    [{ ...sound, admin: 1 }, "admin is no object"],
    [{ ...sound, admin: { name: 7 } }, "admin.name is no string"],
    [{ ...sound, auth: { credentials: { username: 1 } } }, "auth.credentials is no map of strings"],
    [{ ...sound, listeners: {} }, "listeners is no list"],
    [{ ...sound, listeners: [null] }, "missing name"],
    [{ ...sound, listeners: [{ name: "l", port: 3.5 }] }, "listeners[0].port is no integer"],
    [{ ...sound, listeners: [{ name: "l", certificates: "x" }] }, "listeners[0].certificates is no list"],
    [
      { ...sound, listeners: [{ name: "l", certificates: [{ cert: 1 }] }] },
      "listeners[0].certificates[0].cert is no string",
    ],
    [{ ...sound, clusters: [{ name: "c", endpoints: ["1.2.3.4:5678"] }] }, "is no endpoint"],
    [{ ...sound, clusters: [{ name: "c", endpoints: [1] }] }, "clusters[0].endpoints is no list of strings"],
  ])("is refused when it is unsound: %j", (document, reason) => expect(() => readConfig(document)).toThrow(reason));

  it("is not quoted when it is not JSON", () => {
    expect(() => parseDocument(`{"password":"hunter2"`)).toThrow("the document is not JSON");
  });
});

describe("the users of a document", () => {
  const users = {
    blocked: { alice: { reason: "abuse", by: "ops", at: "2026-01-01T00:00:00Z" } },
    kicked: [{ reason: "", user: "bob" }],
  };

  it("reach the dataplane as they were served", () =>
    expect(readConfig(JSON.parse(encodeConfig({ ...configOf("ns/gw"), users })))).toMatchObject({ users }));

  it.each([
    [[], "it is no object"],
    [{ blocked: [] }, "blocked is no object of users"],
    [{ blocked: { alice: 1 } }, "blocked.alice is no object"],
    [{ kicked: {} }, "kicked is no list"],
    [{ kicked: [{ user: "a", relayed: "127.0.0.1:1" }] }, "kicked[0] names not one of user, relayed"],
    [{ blocked: Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`u${n}`, "x"])) }, "more than 1000 users"],
  ])("are refused as a whole if they are malformed: %j", (malformed, message) =>
    expect(() => readConfig({ ...sound, users: malformed })).toThrow(message),
  );
});
