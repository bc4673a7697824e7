import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeConfig } from "./protocol.ts";
import { configOf, listenerAt, refusedWatch, start, type Running } from "../../test/support/discovery.ts";
import { NODE_ADDRESS_PLACEHOLDER } from "../resources/names.ts";

const addresses: Readonly<Record<string, readonly string[]>> = {
  testnode1: ["1.2.3.4"],
  testnode6: ["2001:db8::1"],
  both: ["1.2.3.4", "2001:db8::1"],
};
let server: Running;
beforeEach(async () => {
  server = await start({ addressesOfNode: (name) => addresses[name] ?? [] });
});
afterEach(() => server.close());

const ask = (path: string, method = "GET"): Promise<Response> =>
  fetch(`${server.origin}${path}`, { method, headers: { connection: "close" } });
const get = async (path: string): Promise<readonly [number, string]> => {
  const response = await ask(`/api/v1/configs${path}`);
  return [response.status, await response.text()];
};
/** Sends `request` as it is; resolves with all that comes back until the server closes. */
const raw = async (...lines: readonly string[]): Promise<string> => {
  const socket = connect(server.port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => (text += chunk.toString("latin1")));
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  await once(socket, "close");
  return text;
};

describe("the REST API", () => {
  it("delivers single configs, and 404 for others", async () => {
    server.replace([configOf("ns1/gw1"), configOf("ns1/gw2")]);
    const response = await ask("/api/v1/configs/ns1/gw1");
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.text()).toBe(`${encodeConfig(configOf("ns1/gw1"))}\n`);
    expect((await get("/ns1/gw2"))[0]).toBe(200);
    const missing = await ask("/api/v1/configs/ns1/gw3");
    expect(missing.status).toBe(404);
    expect(missing.headers.get("content-type")).toBe("application/json");
    expect(await missing.text()).toBe(`{"code":404,"message":"Config not found for ID ns1/gw3"}\n`);
  });

  it("lists all and by namespace, in stable order", async () => {
    server.replace([configOf("ns2/gw1"), configOf("ns1/gw1")]);
    const [one, two] = [encodeConfig(configOf("ns1/gw1")), encodeConfig(configOf("ns2/gw1"))];
    expect(await get("")).toEqual([200, `{"version":"v1","items":[${one},${two}]}\n`]);
    expect(await get("/ns1?watch=false")).toEqual([200, `{"version":"v1","items":[${one}]}\n`]);
    expect((await get("/ns1/gw1"))[1]).toBe(`${one}\n`);
  });

  it("has an empty list for an unknown namespace", async () => {
    expect(await get("/none")).toEqual([200, `{"version":"v1","items":[]}\n`]);
    expect(await get("")).toEqual([200, `{"version":"v1","items":[]}\n`]);
  });

  it("answers 404 for configs that were removed", async () => {
    server.replace([configOf("ns1/gw1"), configOf("ns1/gw2")]);
    server.set("ns1/gw1", undefined);
    expect((await get("/ns1/gw1"))[0]).toBe(404);
    expect((await get("/ns1/gw2"))[0]).toBe(200);
    server.replace([]);
    expect((await get("/ns1/gw2"))[0]).toBe(404);
    expect(server.stats().configs).toBe(0);
  });

  it("serves a license without enabled features", async () => {
    const response = await ask("/api/v1/license");
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.text()).toBe(
      `{"enabledFeatures":[],"subscriptionType":"free","lastUpdated":"N/A","lastError":""}\n`,
    );
  });

  it("replaces the address placeholder only for a request that names a node, and not in the stored config", async () => {
    const placed = configOf("ns/gw", "one", {
      listeners: [listenerAt("a", NODE_ADDRESS_PLACEHOLDER), listenerAt("b"), listenerAt("c", "5.6.7.8")],
    });
    server.set("ns/gw", placed);
    const addressesFor = async (query: string): Promise<readonly string[]> => {
      const [, body] = await get(`/ns/gw${query}`);
      return JSON.parse(body).listeners.map(({ address }: { address: string }) => address);
    };
    expect(await addressesFor("?node=testnode1")).toEqual(["1.2.3.4", "$STUNNER_ADDR", "5.6.7.8"]);
    expect(await addressesFor("?node=testnode6")).toEqual(["2001:db8::1", "$STUNNER_ADDR", "5.6.7.8"]);
    expect(JSON.parse((await get("/ns/gw?node=both"))[1]).listeners).toMatchObject([
      { address: "1.2.3.4", more_addresses: ["2001:db8::1"] },
      { address: "$STUNNER_ADDR" },
      { address: "5.6.7.8" },
    ]);
    expect(await addressesFor("?node=unknown")).toEqual(["$STUNNER_ADDR", "$STUNNER_ADDR", "5.6.7.8"]);
    expect(await addressesFor("")).toEqual([NODE_ADDRESS_PLACEHOLDER, "$STUNNER_ADDR", "5.6.7.8"]);
    expect((await get("/ns?node=testnode1"))[1]).toContain(NODE_ADDRESS_PLACEHOLDER);
  });

  it.each(["watch=", "watch", "watch=maybe", "watch=true&watch=true"])("answers 400 to ?%s", async (query) => {
    const response = await ask(`/api/v1/configs?${query}`);
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toContain("text/plain");
  });

  it.each(["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])("answers 405 to %s", async (method) => {
    expect((await ask("/api/v1/configs", method)).status).toBe(405);
  });

  it.each(["/", "/api/v1/configs/", "/api/v1/configs/a/b/c", "/api/v1/configz"])("has no %s", async (path) => {
    const response = await ask(path);
    expect(response.status).toBe(404);
    expect(response.headers.get("content-type")).toContain("text/plain");
  });
});

describe("an invalid handshake", () => {
  const request = "GET /api/v1/configs?watch=true HTTP/1.1";
  const host = "Host: localhost";
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const version = "Sec-WebSocket-Version: 13";
  const upgrade = ["Connection: keep-alive, Upgrade", "Upgrade: websocket"];

  it("gets 400 without 'Connection: upgrade'", async () => {
    expect(await raw(request, host, "Connection: close", "Upgrade: websocket", key, version)).toMatch(
      /^HTTP\/1.1 400 /,
    );
    expect((await get("?watch=true"))[0]).toBe(400);
  });
  it("gets 426 without 'Upgrade: websocket'", async () => {
    expect(await raw(request, host, "Connection: upgrade, close", key, version)).toMatch(/^HTTP\/1.1 426 /);
    expect(await raw(request, host, "Connection: upgrade", "Upgrade: h2c", key, version)).toMatch(/^HTTP\/1.1 426 /);
  });
  it("gets 400 for another version of the protocol, or no key", async () => {
    expect(await raw(request, host, ...upgrade, key, "Sec-WebSocket-Version: 8")).toMatch(/^HTTP\/1.1 400 /);
    expect(await raw(request, host, ...upgrade, version)).toMatch(/^HTTP\/1.1 400 /);
  });
  it("gets the answers of the REST API where that has one", async () => {
    const other = (path: string, method = "GET"): Promise<string> =>
      raw(`${method} ${path} HTTP/1.1`, host, ...upgrade, key, version);
    expect(await other("/nowhere?watch=true")).toMatch(/^HTTP\/1.1 404 /);
    expect(await other("/api/v1/configs?watch=")).toMatch(/^HTTP\/1.1 400 /);
    expect(await other("/api/v1/configs?watch=true", "POST")).toMatch(/^HTTP\/1.1 405 /);
    expect(await other("/api/v1/configs")).toMatch(/^HTTP\/1.1 200 [\s\S]*\{"version":"v1","items":\[\]\}\n$/);
  });
  it("gets 403 when it comes from a page of another host", async () => {
    const watch = "/api/v1/configs?watch=true";
    for (const origin of ["http://elsewhere.example", "http://127.0.0.1:1", "null", ""])
      expect(await refusedWatch(server, watch, { headers: { origin } })).toBe(403);
  });
  it("leaves no subscription behind", async () => {
    for (let n = 0; n < 300; n += 1) expect((await get("?watch=true"))[0]).toBe(400);
    await raw(request, host, ...upgrade, version);
    expect(server.stats().watchers).toBe(0);
    server.replace([configOf("ns/gw")]);
    expect((await get("/ns/gw"))[0]).toBe(200);
  });
  it("is reported", async () => {
    await get("?watch=true");
    expect(server.reports).toEqual([
      { event: "refused", peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/), status: 400 },
    ]);
  });
});
