import { expect, describe, it } from "vitest";
import { ephemeralPassword, timeWindowOf } from "../../stun/ephemeral.ts";
import { createNonces } from "./nonce.ts";
import { createAuthPolicy } from "./policy.ts";

describe("ephemeral credentials", () => {
  it("makes the password of the known vector", () => {
    expect(ephemeralPassword("foobar", "1599491771")).toBe("Tpz/nKkyvX/vMSLKvL4sbtBt8Vs=");
  });

  it.each([
    ["1599491771", 1599491771, undefined],
    ["1599491771:", 1599491771, undefined],
    [":1599491771", 1599491771, undefined],
    ["1599491771:alice", 1599491771, "alice"],
    ["1599491771:@bob:example.org", 1599491771, "@bob:example.org"],
    ["1599491771:fe80::1", 1599491771, "fe80::1"],
    ["1599491771:12345", 1599491771, "12345"],
    ["alice:1599491771", 1599491771, "alice"],
    ["@bob:example.org:1599491771", 1599491771, "@bob:example.org"],
    ["alice:1599491771:phone", 1599491771, "alice:phone"],
    ["+5", 5, undefined],
  ])("finds expiry and user in %j", (username, expiry, user) => {
    expect(timeWindowOf(username)).toEqual({ expiry, ...(user === undefined ? {} : { user }) });
  });

  it.each(["alice", "0:alice", "", ":", "1599491771.5:x", " 1599491771:x"])("finds no expiry in %j", (username) => {
    expect(timeWindowOf(username)).toBeUndefined();
  });

  it("refuses a username whose time is over, and not one whose time is now", () => {
    const policy = createAuthPolicy({ type: "ephemeral", realm: "r", credentials: { secret: "s" } });
    expect(policy.credentials("100:a", 100_999).map(({ user }) => user)).toEqual(["a"]);
    expect(policy.credentials("100:a", 101_000)).toEqual([]);
  });
});

describe("a rotation of credentials", () => {
  it("accepts the current secret and all others", () => {
    const policy = createAuthPolicy({ type: "ephemeral", realm: "r", credentials: { "secret.old": "o", secret: "s" } });
    expect(policy.credentials("100:a", 0)).toEqual(
      ["s", "o"].map((secret) => ({ user: "a", password: ephemeralPassword(secret, "100:a") })),
    );
  });

  it("accepts the current password and all others, of the one user", () => {
    const credentials = { username: "u", password: "p", "password.old": "o", "secret.old": "x" };
    const policy = createAuthPolicy({ type: "static", realm: "r", credentials });
    expect(policy.credentials("u", 0)).toEqual(["p", "o"].map((password) => ({ user: "u", password })));
    expect(policy.credentials("v", 0)).toEqual([]);
  });
});

describe("nonces", () => {
  const nonces = createNonces();
  const now = Date.UTC(2026, 0, 1);

  it("has 16 characters and is good for an hour, for the client it was made for", () => {
    const nonce = nonces.issue("192.0.2.1", now);
    expect(nonce).toMatch(/^[\w-]{16}$/);
    expect(nonces.isFresh(nonce, "192.0.2.1", now)).toBe(true);
    expect(nonces.isFresh(nonce, "192.0.2.1", now + 60 * 60_000)).toBe(true);
    expect(nonces.isFresh(nonce, "192.0.2.1", now + 61 * 60_000)).toBe(false);
    expect(nonces.isFresh(nonce, "192.0.2.1", now - 60_000)).toBe(false);
    expect(nonces.isFresh(nonce, "192.0.2.2", now)).toBe(false);
  });

  it("refuses what it did not make", () => {
    expect(nonces.isFresh("", "192.0.2.1", now)).toBe(false);
    expect(nonces.isFresh("AAAAAAAAAAAAAAAA", "192.0.2.1", now)).toBe(false);
    expect(nonces.isFresh(createNonces().issue("192.0.2.1", now), "192.0.2.1", now)).toBe(false);
  });
});
