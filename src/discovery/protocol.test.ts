import { describe, expect, it } from "vitest";
import { configOf } from "../../test/support/discovery.ts";
import { encodeConfig, isZeroConfig, LICENSE_BODY, parseWatch, pathOf, resourceAt, zeroConfig } from "./protocol.ts";

describe("a config document", () => {
  it("has its fields in STUNner's order and leaves out what is empty", () => {
    const text = encodeConfig({
      clusters: [{ endpoints: [], protocol: "UDP", type: "STATIC", name: "ns/r" }],
      listeners: [
        {
          routes: ["ns/r"],
          key: "k",
          cert: "",
          port: 3478,
          address: "$STUNNER_ADDR",
          public_port: 0,
          public_address: "1.2.3.4",
          protocol: "TURN-UDP",
          name: "ns/gw/udp",
        },
      ],
      auth: { credentials: { username: "u", password: "p" }, realm: "r", type: "static" },
      admin: {
        offload_interfaces: [],
        offload_engine: "None",
        user_quota: 0,
        healthcheck_endpoint: "",
        metrics_endpoint: "",
        loglevel: "all:INFO",
        name: "ns/gw",
      },
      version: "v1",
    });
    expect(text).toBe(
      `{"version":"v1","admin":{"name":"ns/gw","loglevel":"all:INFO","healthcheck_endpoint":"","offload_engine":"None"},` +
        `"auth":{"type":"static","realm":"r","credentials":{"password":"p","username":"u"}},` +
        `"listeners":[{"name":"ns/gw/udp","protocol":"TURN-UDP","public_address":"1.2.3.4","address":"$STUNNER_ADDR","port":3478,"key":"k","routes":["ns/r"]}],` +
        `"clusters":[{"name":"ns/r","type":"STATIC","protocol":"UDP"}]}`,
    );
  });

  it("leaves out empty lists altogether and keeps empty credentials", () => {
    expect(
      encodeConfig({
        version: "v1",
        admin: { name: "ns/gw", healthcheck_endpoint: "" },
        auth: { type: "none", realm: "r", credentials: {} },
        listeners: [],
        clusters: [],
      }),
    ).toBe(
      `{"version":"v1","admin":{"name":"ns/gw","healthcheck_endpoint":""},"auth":{"type":"none","realm":"r","credentials":{}}}`,
    );
  });

  it("escapes <, > and & as Go does", () => {
    const text = encodeConfig(configOf("ns/gw", "r", { admin: { name: "ns/gw", loglevel: "a<b>&\u2028" } }));
    expect(text).toContain(String.raw`"loglevel":"a\u003cb\u003e\u0026\u2028"`);
    expect(text).toContain(String.raw`"10.0.0.1:\u003c1-2\u003e"`);
    expect(JSON.parse(text).admin.loglevel).toBe("a<b>&\u2028");
  });

  it("of a deleted Gateway is the zero config, as receivers know it", () => {
    expect(encodeConfig(zeroConfig("NS/NAME"))).toBe(
      `{"version":"v1","admin":{"name":"NS/NAME"},"auth":{"type":"static","realm":"stunner.l7mp.io","credentials":{"password":"dummy-password","username":"dummy-username"}}}`,
    );
    const filledIn = { loglevel: "all:INFO", healthcheck_endpoint: "http://:8086", offload_engine: "None" };
    expect(isZeroConfig({ ...zeroConfig("a/b"), admin: { name: "a/b", ...filledIn }, listeners: [] })).toBe(true);
    expect(isZeroConfig(configOf("a/b", "stunner.l7mp.io", { listeners: [], clusters: [] }))).toBe(false);
    expect(isZeroConfig({ ...zeroConfig("a/b"), listeners: configOf("a/b").listeners! })).toBe(false);
  });

  it("of the license is constant", () => {
    expect(LICENSE_BODY).toBe(`{"enabledFeatures":[],"subscriptionType":"free","lastUpdated":"N/A","lastError":""}\n`);
  });
});

describe("paths and parameters", () => {
  it("name all configs, a namespace's or one", () => {
    for (const scope of [
      { of: "all" },
      { of: "namespace", namespace: "ns" },
      { of: "config", id: "ns/gw" },
      { of: "config", id: "n s/g%w" },
    ] as const)
      expect(resourceAt(pathOf(scope))).toEqual({ resource: "configs", scope });
    expect(resourceAt("/api/v1/license")).toEqual({ resource: "license" });
  });

  it.each(["/", "/api/v1", "/api/v1/configs/", "/api/v1/configs/a/", "/api/v1/configs/a/b/c", "/api/v1/configs/%"])(
    "%s is no path of the API",
    (path) => expect(resourceAt(path)).toBeUndefined(),
  );

  it("take the booleans of Go, once", () => {
    const parse = (query: string): boolean | undefined => parseWatch(new URLSearchParams(query));
    for (const word of ["1", "t", "T", "TRUE", "true", "True"]) expect(parse(`watch=${word}`)).toBe(true);
    for (const word of ["0", "f", "F", "FALSE", "false", "False"]) expect(parse(`watch=${word}`)).toBe(false);
    expect(parse("")).toBe(false);
    for (const query of ["watch=", "watch", "watch=yes", "watch=tRue", "watch=1&watch=1", "watch=toString"])
      expect(parse(query)).toBeUndefined();
  });
});
