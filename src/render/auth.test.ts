import { describe, expect, it } from "vitest";
import { configOf, fixture, patched, plus, render, secret, type Objects } from "../../test/render/fixture.ts";

const inline = (spec: unknown): Objects => patched(fixture, "GatewayConfig", { spec });

const authSecret = (data: unknown, objects = fixture): Objects =>
  patched(objects, "Secret", { data }, "testauthsecret-ok");

const external = (authRef: unknown, objects = fixture): Objects =>
  patched(objects, "GatewayConfig", {
    spec: { userName: null, password: null, authRef: { name: "testauthsecret-ok", ...(authRef as object) } },
  });

const staticAuth = (username: string, password: string): unknown => ({
  type: "static",
  realm: "testrealm",
  credentials: { username, password },
});

const ephemeralAuth = (value: string): unknown => ({
  type: "ephemeral",
  realm: "testrealm",
  credentials: { secret: value },
});

describe("inline credentials", () => {
  it("are static with user name and password", () => {
    expect(configOf().auth).toEqual(staticAuth("testuser", "testpass"));
    expect(configOf(inline({ authType: "plaintext" })).auth).toEqual(staticAuth("testuser", "testpass"));
    expect(configOf(inline({ authType: null })).auth).toEqual(staticAuth("testuser", "testpass"));
  });

  it.each(["ephemeral", "timewindowed", "longterm"])("are ephemeral with a shared secret, as %s", (type) => {
    const objects = inline({ realm: "dummy", authType: type, sharedSecret: "dummy" });
    expect(configOf(objects).auth).toEqual({ type: "ephemeral", realm: "dummy", credentials: { secret: "dummy" } });
  });

  it.each([
    ["an unknown type", { authType: "dummy" }],
    ["no user name", { userName: null }],
    ["no password", { password: null }],
    ["an empty password", { password: "" }],
    ["no shared secret", { authType: "longterm" }],
    ["an empty shared secret", { authType: "longterm", sharedSecret: "" }],
    ["a type of none without STUN mode", { authType: "none" }],
  ])("invalidate the Gateway with %s", (_, spec) => {
    const { config, invalid } = render(inline(spec));
    expect(config).toBeUndefined();
    expect(invalid).toContain("testnamespace/gatewayconfig-ok");
  });
});

describe("credentials in a Secret", () => {
  it("are found by namespace and name", () =>
    expect(configOf(external({ namespace: "testnamespace" })).auth).toEqual(
      staticAuth("ext-testuser", "ext-testpass"),
    ));

  it("are looked up in the GatewayConfig's namespace by default", () =>
    expect(configOf(external({})).auth).toEqual(staticAuth("ext-testuser", "ext-testpass")));

  it("are ephemeral if the Secret's type is ephemeral", () => {
    expect(configOf(external({}, authSecret({ type: "ephemeral" }))).auth).toEqual(ephemeralAuth("ext-secret"));
    const renamed = authSecret({ type: "ephemeral", secret: null, sharedSecret: "other" });
    expect(configOf(external({}, renamed)).auth).toEqual(ephemeralAuth("other"));
  });

  it("have further secrets and passwords that are accepted during a rotation", () => {
    const secrets = authSecret({
      type: "ephemeral",
      "secret.old": "old",
      "sharedSecret.older": "older",
      "secret.empty": "",
    });
    expect(configOf(external({}, secrets)).auth).toEqual({
      type: "ephemeral",
      realm: "testrealm",
      credentials: { secret: "ext-secret", "secret.old": "old", "secret.older": "older" },
    });
    expect(configOf(external({}, authSecret({ "password.next": "next", "secret.old": "old" }))).auth).toEqual({
      type: "static",
      realm: "testrealm",
      credentials: { username: "ext-testuser", password: "ext-testpass", "password.next": "next" },
    });
    const many = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`secret.${n}`, "s"]));
    expect(render(external({}, authSecret({ type: "ephemeral", ...many }))).invalid).toContain(
      'has more than 7 keys that begin with "secret."',
    );
  });

  it("may name the core group as v1", () =>
    expect(configOf(external({ group: "v1" })).auth).toEqual(staticAuth("ext-testuser", "ext-testpass")));

  it.each([
    ["group", { group: "dummy-group" }, "dummy-group"],
    ["kind", { kind: "dummy-kind" }, "dummy-kind"],
    ["name", { name: "dummy-secret" }, "dummy-secret"],
  ])("invalidate the Gateway by a wrong %s", (_, authRef, named) =>
    expect(render(external(authRef)).invalid).toContain(named),
  );

  it("win over complete inline ones", () => {
    const objects = inline({
      authType: "ephemeral",
      sharedSecret: "testsecret",
      authRef: { name: "testauthsecret-ok" },
    });
    expect(configOf(objects).auth).toEqual(staticAuth("ext-testuser", "ext-testpass"));
  });

  it("are never completed by inline ones", () => {
    const half = plus(inline({ authRef: { name: "half" } }), secret("half", { username: "only" }, "Opaque"));
    expect(render(half).invalid).toContain("Secret testnamespace/half");
  });

  it("cannot switch authentication off with the type none", () =>
    expect(render(external({}, authSecret({ type: "none" }))).invalid).toContain("stunMode"));

  it.each([
    ["with a Secret that says the same", external({}, authSecret({ type: "none" }))],
    ["with credentials, which do not count", fixture],
    ["without any", patched(fixture, "GatewayConfig", { spec: { userName: null, password: null } })],
  ])("are not asked for in STUN mode, %s", (_, objects) => {
    const { auth } = configOf(patched(objects, "GatewayConfig", { spec: { stunMode: true } }));
    expect(auth).toMatchObject({ type: "none", credentials: {} });
  });
});
