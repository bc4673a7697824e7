import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { configOf, listenerAt, refusedWatch, start, watchPath, type Running } from "../../test/support/discovery.ts";
import { NODE_ADDRESS_PLACEHOLDER } from "../resources/names.ts";
import { encodeConfig, zeroConfig } from "./protocol.ts";
import { eventually } from "../../test/support/eventually.ts";

const addresses = new Map<string, readonly string[]>();
let server: Running;
let ready: boolean;
beforeEach(async () => {
  ready = true;
  addresses.clear();
  addresses.set("node1", ["1.2.3.4"]);
  server = await start({ addressesOfNode: (name) => addresses.get(name) ?? [], isReady: () => ready });
});
afterEach(() => server.close());

describe("the watch stream", () => {
  it("sends each watcher the configs in its scope and nothing else", async () => {
    const [one, two] = [await watchPath(server, "/ns/gw1?node=node1"), await watchPath(server, "/ns/gw2")];
    expect(server.stats().watchers).toBe(2);
    expect([await one.news(), await two.news()]).toEqual([[], []]);

    server.set("ns/gw1", configOf("ns/gw1"));
    expect([await one.news(), await two.news()]).toEqual([["ns/gw1=one"], []]);
    server.set("ns/gw2", configOf("ns/gw2"));
    expect([await one.news(), await two.news()]).toEqual([[], ["ns/gw2=one"]]);
    server.set("ns/gw2", configOf("ns/gw2", "two"));
    expect([await one.news(), await two.news()]).toEqual([[], ["ns/gw2=two"]]);

    const three = await watchPath(server, "/ns/gw3");
    expect(await three.news()).toEqual([]);
    server.set("ns/gw3", configOf("ns/gw3"));
    expect([await one.news(), await two.news(), await three.news()]).toEqual([[], [], ["ns/gw3=one"]]);
    server.set("ns/gw2", undefined);
    expect([await one.news(), await two.news(), await three.news()]).toEqual([[], ["-ns/gw2"], []]);

    three.socket.close();
    const again = await watchPath(server, "/ns/gw3");
    expect(await again.news()).toEqual(["ns/gw3=one"]);
  });

  it("begins with the present configs, once, and goes on with what changes", async () => {
    server.replace([configOf("ns1/gw1"), configOf("ns2/gw1")]);
    const watchers = await Promise.all(["", "/ns1", "/ns2", "/ns1/gw1"].map((path) => watchPath(server, path)));
    const news = (): Promise<readonly (readonly string[])[]> => Promise.all(watchers.map((one) => one.news()));
    expect(await news()).toEqual([["ns1/gw1=one", "ns2/gw1=one"], ["ns1/gw1=one"], ["ns2/gw1=one"], ["ns1/gw1=one"]]);
    server.replace([configOf("ns1/gw1", "two"), configOf("ns1/gw2"), configOf("ns2/gw1")]);
    expect(await news()).toEqual([["ns1/gw1=two", "ns1/gw2=one"], ["ns1/gw1=two", "ns1/gw2=one"], [], ["ns1/gw1=two"]]);
    // Each watcher gets one zero config for every config in its scope that is removed.
    server.replace([]);
    expect((await news()).map((told) => told.toSorted())).toEqual([
      ["-ns1/gw1", "-ns1/gw2", "-ns2/gw1"],
      ["-ns1/gw1", "-ns1/gw2"],
      ["-ns2/gw1"],
      ["-ns1/gw1"],
    ]);
  });

  it("carries documents as they are in the REST API, and the zero config for a deleted one", async () => {
    server.set("ns/gw", configOf("ns/gw"));
    const watcher = await watchPath(server, "");
    await watcher.settled();
    server.set("ns/gw", undefined);
    await watcher.settled();
    expect(watcher.frames).toEqual([encodeConfig(configOf("ns/gw")), encodeConfig(zeroConfig("ns/gw"))]);
  });

  it("never repeats what did not change", async () => {
    server.set("ns/gw", configOf("ns/gw"));
    const watcher = await watchPath(server, "/ns/gw");
    expect(await watcher.news()).toEqual(["ns/gw=one"]);
    server.replace([configOf("ns/gw")]);
    server.nodeChanged("node1");
    server.set("ns/gw", configOf("ns/gw", "two"));
    server.set("ns/gw", configOf("ns/gw"));
    server.set("ns/gw", undefined);
    server.set("ns/gw", configOf("ns/gw"));
    server.set("ns/other", configOf("ns/other"));
    expect(await watcher.news()).toEqual([]);
  });

  it("has the address of the watcher's node, which no other watcher gets", async () => {
    const listeners = [listenerAt("ns/gw/udp", NODE_ADDRESS_PLACEHOLDER)];
    server.set("ns/gw", configOf("ns/gw", "one", { listeners }));
    const watchers = await Promise.all(
      ["/ns/gw?node=node1", "/ns/gw?node=node2", "/ns/gw", "", "/ns/none?node=node2"].map((path) =>
        watchPath(server, path),
      ),
    );
    const seen = async (): Promise<unknown> => {
      await Promise.all(watchers.map((one) => one.settled()));
      return watchers.map(({ frames }) => frames.splice(0).map((frame) => JSON.parse(frame).listeners[0].address));
    };
    const placeholder = NODE_ADDRESS_PLACEHOLDER;
    expect(await seen()).toEqual([["1.2.3.4"], ["$STUNNER_ADDR"], [placeholder], [placeholder], []]);
    addresses.set("node2", ["1.2.3.5"]);
    server.nodeChanged("node2");
    expect(await seen()).toEqual([[], ["1.2.3.5"], [], [], []]);
    server.set("ns/gw", configOf("ns/gw", "two", { listeners }));
    expect(await seen()).toEqual([["1.2.3.4"], ["1.2.3.5"], [placeholder], [placeholder], []]);
  });

  it("answers every ping with 'keepalive' and nothing that it is sent", async () => {
    const watcher = await watchPath(server);
    watcher.socket.send("hello");
    watcher.socket.send(Buffer.from([1, 2, 3]));
    watcher.socket.ping("something else");
    const [payload] = await once(watcher.socket, "pong");
    expect(String(payload)).toBe("keepalive");
    expect(await watcher.news()).toEqual([]);
  });

  it("ends for one who sends more than a little", async () => {
    const watcher = await watchPath(server);
    watcher.socket.send("x".repeat(10_000));
    const [code] = await once(watcher.socket, "close");
    expect(code).toBe(1009);
    await eventually(() => expect(server.reports.at(-1)).toMatchObject({ event: "closed", reason: "protocol" }));
    expect(server.stats().watchers).toBe(0);
  });

  it("negotiates neither compression nor a subprotocol", async () => {
    const socket = connect(server.port, "127.0.0.1");
    socket.write(
      [
        "GET /api/v1/configs/ns/gw?watch=true HTTP/1.1",
        `Host: 127.0.0.1:${server.port}`,
        `Origin: http://127.0.0.1:${server.port}`,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: a, b",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "\r\n",
      ].join("\r\n"),
    );
    const [head] = await once(socket, "data");
    expect(String(head)).toMatch(/^HTTP\/1.1 101 /);
    expect(String(head)).toContain("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    expect(String(head)).not.toMatch(/protocol:|extensions:/i);
    server.set("ns/gw", configOf("ns/gw"));
    const [frame] = await once(socket, "data");
    // FIN, text, 16 bits of length, no mask.
    const text = encodeConfig(configOf("ns/gw"));
    expect(frame.subarray(0, 4)).toEqual(Buffer.from([0x81, 126, text.length >> 8, text.length & 255]));
    expect(frame.subarray(4).toString()).toBe(text);
    // Masked ping with payload "x".
    socket.write(Buffer.from([0x89, 0x81, 0, 0, 0, 0, 0x78]));
    const [pong] = await once(socket, "data");
    expect(pong).toEqual(Buffer.concat([Buffer.from([0x8a, 9]), Buffer.from("keepalive")]));
    const closed = once(socket, "data");
    void server.close();
    expect((await closed)[0]).toEqual(Buffer.from([0x88, 0]));
    socket.end();
  });
});

describe("a watcher that has disconnected", () => {
  beforeEach(async () => {
    await server.close();
    server = await start({ limits: { readDeadlineMs: 150, pongDeadlineMs: 1000 } });
  });

  it("is dropped when it answers no ping", async () => {
    const watcher = await watchPath(server, "", { autoPong: false });
    const [code] = await once(watcher.socket, "close");
    expect(code).toBe(1006);
    await eventually(() => expect(server.reports.at(-1)).toMatchObject({ event: "closed", reason: "dead" }));
  });

  it("is not confused with a quiet one", async () => {
    const watcher = await watchPath(server);
    for (let pings = 0; pings < 3; pings += 1) await once(watcher.socket, "ping");
    expect(watcher.socket.readyState).toBe(WebSocket.OPEN);
  });

  it("leaves nothing behind", async () => {
    const watcher = await watchPath(server, "/ns/gw");
    watcher.socket.close();
    await eventually(() => expect(server.stats().watchers).toBe(0));
    server.set("ns/gw", configOf("ns/gw"));
    expect(server.reports.map(({ event }) => event)).toEqual(["opened", "closed"]);
  });
});

describe("a standby", () => {
  it("answers 503 and accepts no watch", async () => {
    ready = false;
    for (const path of ["/api/v1/configs", "/api/v1/configs/ns", "/api/v1/configs/ns/gw", "/api/v1/license"])
      expect((await fetch(`${server.origin}${path}`)).status).toBe(503);
    expect(await refusedWatch(server, "/api/v1/configs?watch=true")).toBe(503);
    expect((await fetch(`${server.origin}/elsewhere`)).status).toBe(404);
    ready = true;
    expect((await fetch(`${server.origin}/api/v1/configs`)).status).toBe(200);
  });

  it("sends those away who watched while it was the leader", async () => {
    const watcher = await watchPath(server);
    ready = false;
    const [code, reason] = await once(watcher.socket, "close");
    expect([code, String(reason)]).toEqual([1013, "standby"]);
    await eventually(() => expect(server.reports.at(-1)).toMatchObject({ event: "closed", reason: "standby" }));
  });
});

describe("many watchers", () => {
  it("2,000 of one config share its document", async () => {
    server.set("ns/gw", configOf("ns/gw"));
    const watchers = await Promise.all(Array.from({ length: 2000 }, () => watchPath(server, "/ns/gw")));
    server.set("ns/gw", configOf("ns/gw", "two"));
    await eventually(() => expect(watchers.every(({ told }) => told.at(-1) === "ns/gw=two")).toBe(true));
    expect(server.stats()).toMatchObject({ configs: 1, framesSent: 4000 });
    expect(watchers.every(({ told }) => told.length === 2)).toBe(true);
    await server.close();
    await eventually(() => expect(watchers.every(({ socket }) => socket.readyState === WebSocket.CLOSED)).toBe(true));
  });
});
