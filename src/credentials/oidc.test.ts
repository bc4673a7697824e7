import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { startAuthService, type AuthService } from "./auth-service.ts";
import { createOidc } from "./oidc.ts";
import { ephemeralPassword } from "../stun/ephemeral.ts";

const AUDIENCE = "turn";
const config: DataplaneConfig = {
  version: "v1",
  admin: { name: "ns/gw" },
  auth: { type: "ephemeral", realm: "r", credentials: { secret: "s3cret" } },
  listeners: [{ name: "ns/gw/udp", protocol: "TURN-UDP", address: "127.0.0.1", port: 3478 }],
};

let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let other: Awaited<ReturnType<typeof generateKeyPair>>;
let provider: ReturnType<typeof createServer>;
let isDown: boolean;
let issuer: string;
let service: AuthService;

/** An identity provider: its configuration, and one key. */
beforeEach(async () => {
  isDown = false;
  [keys, other] = await Promise.all([generateKeyPair("ES256"), generateKeyPair("ES256")]);
  const key = { ...(await exportJWK(keys.publicKey)), kid: "one", alg: "ES256", use: "sig" };
  provider = createServer((request, response) => {
    if (isDown) {
      response.writeHead(500).end();
      return;
    }
    const body =
      request.url === "/.well-known/openid-configuration" ? { issuer, jwks_uri: `${issuer}/keys` } : { keys: [key] };
    response.setHeader("content-type", "application/json").end(JSON.stringify(body));
  }).listen(0, "127.0.0.1");
  await once(provider, "listening");
  issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  const identify = createOidc({ issuer, audience: AUDIENCE, claim: "sub" });
  service = await startAuthService({ host: "127.0.0.1", port: 0, configs: () => [config], identify });
});
afterEach(async () => {
  await service.close();
  provider.closeAllConnections();
  provider.close();
  vi.useRealTimers();
});

interface Claims {
  readonly sub?: string;
  readonly iss?: string;
  readonly aud?: string;
  readonly exp?: number;
}

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;
const token = (claims: Claims = {}, key: CryptoKey = keys.privateKey): Promise<string> => {
  const { sub = "alice", iss = issuer, aud = AUDIENCE, exp = inSeconds(600) } = claims;
  return new SignJWT({ sub, iss, aud, exp }).setProtectedHeader({ alg: "ES256", kid: "one" }).sign(key);
};
const ask = async (
  jwt: string | undefined,
  query = "",
): Promise<{ readonly status: number; readonly text: string }> => {
  const response = await fetch(`http://127.0.0.1:${service.port}/?service=turn${query}`, {
    headers: jwt === undefined ? {} : { authorization: `Bearer ${jwt}` },
  });
  return { status: response.status, text: await response.text() };
};

describe("the authentication service with an identity provider", () => {
  it("gives credentials for the user of the token, which expire with it", async () => {
    const { status, text } = await ask(await token({ exp: inSeconds(100) }));
    expect(status).toBe(200);
    const { username, password, ttl } = JSON.parse(text) as { username: string; password: string; ttl: number };
    const [, expiry, user] = /^(\d+):(.*)$/.exec(username) ?? [];
    expect(user).toBe("alice");
    expect(ttl).toBeLessThanOrEqual(100);
    expect(Number(expiry)).toBeLessThanOrEqual(inSeconds(100));
    expect(password).toBe(ephemeralPassword("s3cret", username));
    const short = JSON.parse((await ask(await token(), "&ttl=10")).text) as { ttl: number };
    expect(short.ttl).toBe(10);
  });

  it("gives nobody the credentials of another user", async () => {
    expect((await ask(await token(), "&username=alice")).status).toBe(200);
    expect(await ask(await token(), "&username=bob")).toMatchObject({ status: 403 });
    expect((await ask(await token({ sub: "" }))).status).toBe(403);
  });

  it("refuses tokens that are expired, for others, of others, forged or none", async () => {
    const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${(await token()).split(".")[1]}.AA`;
    const [head, , signature] = (await token()).split(".");
    const changed = `${head}.${Buffer.from(JSON.stringify({ sub: "root", iss: issuer, aud: AUDIENCE, exp: inSeconds(600) })).toString("base64url")}.${signature}`;
    for (const jwt of [
      undefined,
      "",
      "no-jwt",
      unsigned,
      changed,
      await token({ exp: inSeconds(-60) }),
      await token({ aud: "another" }),
      await token({ iss: "http://another.example" }),
      await token({}, other.privateKey),
    ])
      expect((await ask(jwt)).status, jwt).toBe(401);
  });

  it("says so while the provider does not answer, and recovers", async () => {
    isDown = true;
    expect(await ask(await token())).toEqual({ status: 503, text: "the identity provider does not answer" });
    isDown = false;
    expect((await ask(await token())).status).toBe(200);
  });
});
