import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { newCertificate } from "../../test/support/certificate.ts";
import { watchConfigs, type ConfigEvent, type WatchOptions } from "./client.ts";
import { fetchConfig } from "./fetch.ts";
import { configOf, refusedWatch, start, type Running } from "../../test/support/discovery.ts";
import type { TlsMaterial } from "./server.ts";
import { eventually } from "../../test/support/eventually.ts";

let first: TlsMaterial;
let second: TlsMaterial;
beforeAll(() => {
  first = newCertificate();
  second = newCertificate();
});

let server: Running;
afterEach(async () => {
  await server.close();
});
const follow = (options: Partial<WatchOptions>): ConfigEvent[] => {
  const events: ConfigEvent[] = [];
  const timing = { retryFirstMs: 20, retryMostMs: 20 };
  const watched = watchConfigs({ origin: server.origin, environment: {}, timing, ...options });
  const subscription = watched.subscribe((event) => events.push(event));
  onTestFinished(() => subscription.unsubscribe());
  return events;
};

describe("discovery over TLS", () => {
  it("serves both APIs to those who trust its certificate", async () => {
    server = await start({ tls: first });
    server.set("ns/gw", configOf("ns/gw"));
    expect(await fetchConfig({ origin: server.origin, id: "ns/gw", ca: first.cert })).toMatchObject({ version: "v1" });
    const events = follow({ origin: server.origin.replace("https", "wss"), ca: first.cert });
    await eventually(() => expect(events).toMatchObject([{ event: "config" }]));
    const doubting = follow({ ca: second.cert });
    await eventually(() =>
      expect(doubting).toMatchObject([{ event: "lost", reason: expect.stringContaining("certificate") }]),
    );
    await expect(fetchConfig({ origin: server.origin, id: "ns/gw" })).rejects.toThrow("certificate");
  });

  it("changes its certificate without losing a watcher, and refuses a bad one", async () => {
    server = await start({ tls: first });
    const events = follow({ ca: first.cert });
    await eventually(() => expect(server.stats().watchers).toBe(1));
    server.setTls(second);
    expect(() => server.setTls({ cert: first.cert, key: second.key })).toThrow(/key/i);
    expect(() => server.setTls({ cert: "nonsense", key: first.key })).toThrow(/pem/i);
    server.set("ns/gw", configOf("ns/gw"));
    await eventually(() => expect(events).toMatchObject([{ event: "config" }]));
    expect(await fetchConfig({ origin: server.origin, id: "ns/gw", ca: second.cert })).toMatchObject({ version: "v1" });
    await expect(fetchConfig({ origin: server.origin, id: "ns/gw", ca: first.cert })).rejects.toThrow("certificate");
  });

  it("ends even while someone takes forever to shake hands", async () => {
    server = await start({ tls: first });
    const silent = connect(server.port, "127.0.0.1");
    await once(silent, "connect");
    const ended = once(silent, "close");
    silent.on("error", () => undefined).resume();
    await server.close();
    await ended;
    expect(server.stats().watchers).toBe(0);
  });

  it("cannot be switched on later", async () => {
    server = await start();
    expect(() => server.setTls(first)).toThrow(RangeError);
    await server.close();
    await expect(start({ tls: { cert: first.cert, key: "nonsense" } })).rejects.toThrow(/decoder|pem|key/i);
  });
});

describe("discovery with a token", () => {
  it("answers 401 on every API path to those who do not have it", async () => {
    server = await start({ token: "s3cret" });
    server.set("ns/gw", configOf("ns/gw"));
    for (const authorization of [undefined, "Bearer other", "Basic s3cret", "s3cret", "Bearer s3cret "])
      for (const path of ["/api/v1/configs", "/api/v1/configs/ns/gw", "/api/v1/license"]) {
        // The space at the end is no part of a header's value.
        const allowed = authorization === "Bearer s3cret ";
        const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
        const response = await fetch(`${server.origin}${path}`, { headers });
        expect([authorization, response.status]).toEqual([authorization, allowed ? 200 : 401]);
        expect(response.headers.get("www-authenticate")).toBe(allowed ? null : "Bearer");
      }
    expect(await refusedWatch(server, "/api/v1/configs?watch=true")).toBe(401);
  });

  it("lets in who has it", async () => {
    server = await start({ token: "s3cret" });
    server.set("ns/gw", configOf("ns/gw"));
    expect(await fetchConfig({ origin: server.origin, id: "ns/gw", token: "s3cret" })).toMatchObject({ version: "v1" });
    const [known, unknown] = [follow({ token: "s3cret" }), follow({ token: "guess" })];
    await eventually(() => expect(known).toMatchObject([{ event: "config" }]));
    await eventually(() => expect(unknown).toEqual([{ event: "lost", reason: "401 Unauthorized" }]));
  });

  it("must not be empty", async () => {
    server = await start();
    await expect(start({ token: "" })).rejects.toThrow(RangeError);
  });
});
