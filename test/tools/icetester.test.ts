/** `icetester`: what is sent to it over a data channel comes back, directly and through a live relay. */
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { dialWhip, type DialOptions, type WhipConnection } from "../../src/icetest/whip-client.ts";
import { fnv1a } from "../../src/icetest/whip-server.ts";
import { launch, turnpike } from "../support/commands.ts";
import { startTestDataplane, type TestDataplane } from "../support/dataplane.ts";
import { PATIENCE_MS } from "../support/patience.ts";

/** Of this machine: WebRTC has no use for loopback. */
const [own = "127.0.0.1"] = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .filter(({ family, internal }) => family === "IPv4" && !internal)
  .map(({ address }) => address);

let relay: TestDataplane;

beforeAll(async () => {
  relay = await startTestDataplane({ endpoints: [own], address: own });
});
afterAll(async () => relay.stop());

const start = async (env: Readonly<Record<string, string>> = {}): Promise<string> => {
  const running = launch(["-a", "127.0.0.1:0", "-v"], { as: "icetester", env });
  onTestFinished(async () => void (await running.stop()));
  const [, port] = await running.printed(/WHIP at port (\d+)/);
  return `http://127.0.0.1:${port}`;
};

const dial = async (url: string, more: Partial<DialOptions> = {}): Promise<WhipConnection> => {
  const connection = await dialWhip({
    url,
    iceServers: [],
    iceTransportPolicy: "all",
    timeoutMs: PATIENCE_MS,
    ...more,
  });
  onTestFinished(() => connection.close());
  return connection;
};

const expectEcho = async ({ channel }: WhipConnection, text: string): Promise<void> => {
  const heard = new Promise<string>((resolve) => {
    channel.onMessage.subscribe((message) => resolve(message.toString()));
  });
  channel.send(Buffer.from(text));
  expect(await heard).toBe(text);
};

const turn = (transport: "udp" | "tcp") => ({
  urls: [`turn:${own}:${relay.ports[transport]}?transport=${transport}`],
  username: "user-1",
  credential: "pass-1",
});

describe("icetester", () => {
  it("echoes over five connections at once, and ends the one that is deleted", async () => {
    const at = await start();
    const all = await Promise.all(Array.from({ length: 5 }, () => dial(`${at}/whip`)));
    await Promise.all(all.map((one, n) => expectEcho(one, `connection ${n}`)));
    const [first] = all;
    expect(first?.location).toMatch(/^\/\d+$/);
    expect((await fetch(`${at}/whip${first?.location}`, { method: "DELETE" })).status).toBe(200);
    expect((await fetch(`${at}/whip${first?.location}`, { method: "DELETE" })).status).toBe(404);
  });

  it.each(["udp", "tcp"] as const)(
    "is reached through a relay over %s by a client that uses nothing else",
    async (transport) => {
      const at = await start();
      const connection = await dial(`${at}/whip`, { iceServers: [turn(transport)], iceTransportPolicy: "relay" });
      await expectEcho(connection, "through the relay");
      const { allocationCount, listeners } = await relay.dataplane.status();
      expect(allocationCount).toBeGreaterThan(0);
      expect(JSON.stringify(listeners)).toMatch(/"pkts":[1-9]/);
    },
  );

  it("uses a relay on its own side, too, if one is configured", async () => {
    const at = await start({ ICE_SERVERS: JSON.stringify([turn("udp")]), ICE_TRANSPORT_POLICY: "relay" });
    await expectEcho(await dial(`${at}/whip`), "its own relay");
  });

  it("asks for its token, serves at the configured path, and accepts only SDP", async () => {
    const at = await start({ BEARER_TOKEN: "whiptoken", WHIP_ENDPOINT: "/custompath" });
    await expect(dial(`${at}/custompath`)).rejects.toThrow(/answered 401/);
    await expect(dial(`${at}/custompath`, { bearerToken: "wrong" })).rejects.toThrow(/answered 401/);
    await expectEcho(await dial(`${at}/custompath/`, { bearerToken: "whiptoken" }), "with a token");
    const post = (path: string, type: string, body: string) =>
      fetch(`${at}${path}`, {
        method: "POST",
        body,
        headers: { "content-type": type, authorization: "Bearer whiptoken" },
      });
    expect((await post("/custompath", "text/plain", "v=0")).status).toBe(400);
    expect((await post("/custompath", "application/sdp", "nonsense")).status).toBe(400);
    expect((await post("/whip", "application/sdp", "v=0")).status).toBe(404);
    // What was refused does not stand in the way of the next one.
    await expectEcho(await dial(`${at}/custompath`, { bearerToken: "whiptoken" }), "still there");
  });

  it("shows and changes its settings", async () => {
    const at = await start();
    const ask = (init: RequestInit = {}, type = "application/json") =>
      fetch(`${at}/config`, { ...init, headers: { "content-type": type } });
    const server = { urls: ["turn:192.0.2.1:3478?transport=udp"], username: "u", credential: "c" };
    const changes = { ICEServers: [server], ICETransportPolicy: "relay", BearerToken: "", WHIPEndpoint: "/elsewhere" };
    const changed = await ask({ method: "POST", body: JSON.stringify(changes) });
    expect(changed.status).toBe(200);
    expect(await (await ask()).json()).toEqual({
      ICEServers: [server],
      ICETransportPolicy: "relay",
      BearerToken: "",
      WHIPEndpoint: "/whip",
    });
    expect((await ask({}, "text/plain")).status).toBe(400);
    expect((await ask({ method: "POST", body: "{" })).status).toBe(400);
    expect((await ask({ method: "POST", body: '{"ICEServers": 1}' })).status).toBe(400);
    expect((await ask({ method: "POST", body: '{"ICETransportPolicy": "some"}' })).status).toBe(400);
  });

  it.each([
    [{ ICE_SERVERS: "{" }, /ICE_SERVERS is not JSON/],
    [{ ICE_SERVERS: '[{"urls": 1, "credential": "secret"}]' }, /urls is a text or a list of texts/],
    [{ ICE_TRANSPORT_POLICY: "some" }, /all or relay, not "some"/],
    [{ WHIP_ENDPOINT: "whip" }, /has to begin with a \//],
  ])("exits 1 at the environment %j", async (env, message) => {
    const { code, stderr } = await turnpike([], { as: "icetester", env });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/secret| at .*\.ts:/);
    expect(code).toBe(1);
  });

  it("names a connection as STUNner's does: by FNV-1a", () => {
    expect([fnv1a(""), fnv1a("a"), fnv1a("foobar")]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });
});
