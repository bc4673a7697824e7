import { createServer } from "node:http";
import { connect, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import { watchConfigs, type ConfigEvent, type WatchOptions } from "./client.ts";
import { DiscoveryError, fetchConfig, fetchConfigs } from "./fetch.ts";
import { configOf, largeConfig, listenerAt, start, type Running } from "../../test/support/discovery.ts";
import { NODE_ADDRESS_PLACEHOLDER } from "../resources/names.ts";
import { addressOf } from "./origin.ts";
import { encodeConfig, zeroConfig } from "./protocol.ts";
import { eventually } from "../../test/support/eventually.ts";

const timing = { pingMs: 50, livenessMs: 2000, retryFirstMs: 40, retryMostMs: 80 };
let server: Running;
let ready: boolean;
beforeEach(async () => {
  ready = true;
  server = await start({ addressesOfNode: () => ["1.2.3.4"], isReady: () => ready });
  // A test may have started another one in its place.
  onTestFinished(() => server.close());
});

const watch = (options: Partial<WatchOptions> = {}): { readonly events: ConfigEvent[]; leave(): void } => {
  const events: ConfigEvent[] = [];
  const watched = watchConfigs({ origin: server.origin, timing, environment: {}, ...options });
  const subscription = watched.subscribe((event) => events.push(event));
  const leave = (): void => subscription.unsubscribe();
  onTestFinished(leave);
  return { events, leave };
};
const follow = (options: Partial<WatchOptions> = {}): ConfigEvent[] => watch(options).events;
const wordOf = (event: ConfigEvent): string => {
  if (event.event === "config") return `${event.config.admin.name}=${event.config.auth.realm}`;
  return event.event === "deleted" ? `-${event.id}` : event.event;
};
const told = (events: readonly ConfigEvent[], ...expected: readonly string[]): Promise<void> =>
  eventually(() => expect(events.map(wordOf)).toEqual(expected));

describe("a watching client", () => {
  it("hears what comes, changes and goes", async () => {
    const [all, one] = [follow(), follow({ id: "ns/gw" })];
    await eventually(() => expect(server.stats().watchers).toBe(2));
    server.set("ns/gw", configOf("ns/gw"));
    await told(one, "ns/gw=one");
    server.set("ns/other", configOf("ns/other"));
    await told(all, "ns/gw=one", "ns/other=one");
    server.set("ns/gw", undefined);
    // A client reports a deletion; its receiver decides whether to act on it.
    await told(one, "ns/gw=one", "-ns/gw");
    await told(all, "ns/gw=one", "ns/other=one", "-ns/gw");
  });

  it("of a namespace receives that namespace", async () => {
    server.replace([configOf("a/gw"), configOf("b/gw")]);
    const events = follow({ namespace: "b" });
    await eventually(() => expect(events.map(wordOf)).toEqual(["b/gw=one"]));
  });

  it("survives a restart of the server", async () => {
    server.replace([configOf("ns/a"), configOf("ns/b")]);
    const [a, b] = [follow({ id: "ns/a" }), follow({ id: "ns/b" })];
    await told(a, "ns/a=one");
    await told(b, "ns/b=one");
    await server.close();
    await eventually(() => expect(a.at(-1)?.event).toBe("lost"));
    server = await start({ port: server.port });
    server.replace([configOf("ns/a", "two"), configOf("ns/b")]);
    const restored = (events: readonly ConfigEvent[], word: string): Promise<void> =>
      eventually(() => {
        const words = events.map(wordOf).filter((one, place, others) => one !== others[place - 1]);
        expect(words).toEqual([words[0], "lost", "restored", word]);
      });
    await restored(a, "ns/a=two");
    await restored(b, "ns/b=one");
  });

  it("waits for a server that is not there yet, and does not repeat itself", async () => {
    const { port } = server;
    await server.close();
    const events = follow({ origin: `127.0.0.1:${port}` });
    await told(events, "lost");
    server = await start({ port, isReady: () => ready });
    server.set("ns/gw", configOf("ns/gw"));
    await told(events, "lost", "restored", "ns/gw=one");
    expect(events[0]).toEqual({ event: "lost", reason: expect.stringContaining("ECONNREFUSED") });
  });

  it("passes a standby by and says why", async () => {
    ready = false;
    const events = follow();
    await told(events, "lost");
    expect(events[0]).toEqual({ event: "lost", reason: "503 Service Unavailable" });
    ready = true;
    await told(events, "lost", "restored");
    ready = false;
    await eventually(() => expect(events.at(2)).toEqual({ event: "lost", reason: "standby" }));
  });

  it("puts its environment in, but not into credentials", async () => {
    server.set("ns/gw", configOf("ns/gw"));
    const events = follow({ environment: { STUNNER_ADDR: "10.1.2.3" } });
    await told(events, "ns/gw=one");
    expect(events[0]).toMatchObject({
      config: { listeners: [{ address: "10.1.2.3" }], auth: { credentials: { password: "pa$$" } } },
    });
  });

  it("says on which node it runs", async () => {
    server.set("ns/gw", configOf("ns/gw", "one", { listeners: [listenerAt("l", NODE_ADDRESS_PLACEHOLDER)] }));
    const events = follow({ id: "ns/gw", node: "n" });
    await told(events, "ns/gw=one");
    expect(events[0]).toMatchObject({ config: { listeners: [{ address: "1.2.3.4" }] } });
  });

  it("takes configs of megabytes", async () => {
    server.set("ns/gw", largeConfig("ns/gw", "large", 3_000_000));
    const events = follow();
    await eventually(() => expect(events.map(wordOf)).toEqual(["ns/gw=large"]));
  });

  it("leaves when it is no longer needed", async () => {
    const first = watch();
    await eventually(() => expect(server.stats().watchers).toBe(1));
    first.leave();
    await eventually(() => expect(server.stats().watchers).toBe(0));
    watch().leave();
    await eventually(() => expect(server.stats().watchers).toBe(0));
  });

  it("refuses to watch what cannot be understood", () => {
    for (const options of [{ origin: "ftp://x" }, { origin: "" }, { id: "gw" }, { id: "a/b/c" }]) {
      let error: unknown;
      watchConfigs({ origin: server.origin, ...options }).subscribe({ error: (one: unknown) => (error = one) });
      expect(error).toBeInstanceOf(RangeError);
    }
  });

  it("takes any way to write an origin", () => {
    const host = (origin: string): string => {
      const address = addressOf({ origin, id: "ns/gw", node: "n 1" }, { watch: "true" });
      return `${address.secure ? "tls" : "plain"} ${address.host}${address.path} ${address.headers["origin"]}`;
    };
    const plain = "plain h:1/api/v1/configs/ns/gw?node=n+1&watch=true http://h:1";
    for (const origin of ["h:1", "http://h:1", "ws://h:1/prefix"]) expect(host(origin)).toBe(plain);
    for (const origin of ["https://h:1", "wss://h:1"])
      expect(host(origin)).toBe("tls h:1/api/v1/configs/ns/gw?node=n+1&watch=true https://h:1");
  });
});

describe("a watching client of a server that misbehaves", () => {
  let http: Server | undefined;
  const sockets: WebSocket[] = [];
  const strange = async (autoPong = true): Promise<string> => {
    const upgrader = createServer().listen(0, "127.0.0.1");
    http = upgrader;
    sockets.length = 0;
    new WebSocketServer({ server: upgrader, autoPong }).on("connection", (socket) => sockets.push(socket));
    await eventually(() => expect(upgrader.listening).toBe(true));
    return `ws://127.0.0.1:${(upgrader.address() as AddressInfo).port}`;
  };
  afterEach(() => {
    for (const socket of sockets) socket.terminate();
    http?.close();
  });

  it("skips what is no sound config, and keeps the connection", async () => {
    const events = follow({ origin: await strange(), id: "ns/gw" });
    await eventually(() => expect(sockets.length).toBe(1));
    const bad = JSON.stringify({ ...configOf("ns/gw"), version: "v3" });
    for (const text of ["", `{"password":"hunter2"`, "[]", bad, encodeConfig(configOf("ns/other"))])
      sockets[0]!.send(text);
    sockets[0]!.send(encodeConfig(configOf("ns/gw")));
    sockets[0]!.send(encodeConfig(zeroConfig("ns/gw")));
    await told(events, "refused", "refused", "refused", "refused", "refused", "ns/gw=one", "-ns/gw");
    expect(JSON.stringify(events)).not.toContain("hunter2");
    expect(sockets.length).toBe(1);
  });

  it("reconnects after a killed connection, a binary frame, and a server that falls silent", async () => {
    const events = follow({ origin: await strange(false), timing: { ...timing, livenessMs: 300 } });
    await eventually(() => expect(sockets.length).toBe(1));
    sockets[0]!.terminate();
    await eventually(() => expect(sockets.length).toBe(2));
    sockets[1]!.send(Buffer.from("{}"));
    // Nobody answers pings from here on.
    await eventually(() => expect(sockets.length).toBe(4));
    const reasons = events.flatMap((event) => (event.event === "lost" ? [event.reason] : []));
    expect(reasons.slice(1, 3)).toEqual(["the server sent a binary frame", "nothing heard for 300 ms"]);
  });

  it("pings with 'keepalive'", async () => {
    follow({ origin: await strange() });
    await eventually(() => expect(sockets.length).toBe(1));
    const payload = await new Promise((resolve) => {
      sockets[0]!.once("ping", resolve);
    });
    expect(String(payload)).toBe("keepalive");
  });

  it("gives up a handshake that is never answered", async () => {
    const held: Socket[] = [];
    const silent = createTcpServer((socket) => held.push(socket)).listen(0, "127.0.0.1");
    await eventually(() => expect(silent.listening).toBe(true));
    const origin = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const { events, leave } = watch({ origin, timing: { ...timing, livenessMs: 100 } });
    await told(events, "lost");
    await eventually(() => expect(held.length).toBeGreaterThan(1));
    leave();
    for (const socket of held) socket.destroy();
    silent.close();
  });
});

describe("a one-shot client", () => {
  it("gets configs as they are, placeholders and all", async () => {
    server.replace([configOf("ns/a"), configOf("ms/b")]);
    const config = await fetchConfig({ origin: server.origin, id: "ns/a" });
    expect(config).toMatchObject({ admin: { name: "ns/a" }, listeners: [{ address: "$STUNNER_ADDR" }] });
    expect((await fetchConfigs({ origin: server.origin })).map(({ admin }) => admin.name)).toEqual(["ms/b", "ns/a"]);
    expect(await fetchConfigs({ origin: `ws://127.0.0.1:${server.port}`, namespace: "none" })).toEqual([]);
  });

  it("sees each change, and nothing new when there is none", async () => {
    const poll = async (): Promise<string> => (await fetchConfig({ origin: server.origin, id: "ns/a" })).auth.realm;
    server.set("ns/a", configOf("ns/a"));
    expect([await poll(), await poll()]).toEqual(["one", "one"]);
    server.set("ns/a", configOf("ns/a", "two"));
    expect(await poll()).toBe("two");
  });

  it("says why there is none", async () => {
    const failure = async (origin: string): Promise<unknown> =>
      fetchConfig({ origin, id: "ns/a", timeoutMs: 200 }).catch((error: unknown) => error);
    expect(await failure(server.origin)).toMatchObject({ code: "discovery-refused", status: 404 });
    const { port } = server;
    const silent = createTcpServer(() => undefined).listen(0, "127.0.0.1");
    await eventually(() => expect(silent.listening).toBe(true));
    const late = await failure(`127.0.0.1:${(silent.address() as AddressInfo).port}`);
    expect(late).toMatchObject({
      code: "discovery-unreachable",
      message: expect.stringContaining("no answer in time"),
    });
    silent.close();
    await server.close();
    expect(await failure(`127.0.0.1:${port}`)).toBeInstanceOf(DiscoveryError);
  });

  it("does not disturb the server by leaving early", async () => {
    const socket = connect(server.port, "127.0.0.1");
    await new Promise<void>((resolve) => {
      socket.write("GET /api/v1/configs HTTP/1.1\r\n", () => resolve());
    });
    socket.destroy();
    expect(await fetchConfigs({ origin: server.origin })).toEqual([]);
  });
});
