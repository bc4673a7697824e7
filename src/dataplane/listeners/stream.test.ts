import { once } from "node:events";
import { connect, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createEngine } from "../engines/choose.ts";
import type { Engine } from "../engines/engine.ts";
import { Flow, noDrops, noTraffic } from "../flows.ts";
import { encode } from "../../turn-client/codec.ts";
import { method } from "../../stun/message.ts";
import { makeCertificate } from "../../../test/support/certificate.ts";
import { testOwner, type TestOwner } from "../../../test/support/listener-owner.ts";
import type { ListenerPath, OpenListener } from "./listener.ts";
import { listenTcp } from "./tcp.ts";
import { listenTls } from "./tls.ts";

const binding = encode({ method: method.binding, class: "request", transactionId: Buffer.alloc(12) });

const { cert64, key64 } = makeCertificate();
const materials = {
  first: { certificate: Buffer.from(cert64, "base64"), key: Buffer.from(key64, "base64") },
  further: [],
};
const subjects = (["tcp", "tls"] as const).flatMap((transport) =>
  (["dgram", "batch"] as const).map((name) => ({ transport, name })),
);

describe.each(subjects)("a listener for $transport of the $name engine", ({ transport, name }) => {
  let opened: OpenListener;
  let engine: Engine;
  let owner: TestOwner;
  let paths: readonly ListenerPath[];
  const sockets: Socket[] = [];

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    owner = testOwner();
    ({ paths } = owner);
    engine = createEngine(name, { drops: noDrops() }, pino({ level: "silent" }));
    opened =
      transport === "tcp"
        ? await listenTcp(engine, ["127.0.0.1"], 0, noTraffic(), owner)
        : await listenTls(engine, ["127.0.0.1"], 0, noTraffic(), owner, materials);
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await opened.close();
    engine.close();
    vi.useRealTimers();
  });

  const client = async (): Promise<Socket> => {
    const at = { host: "127.0.0.1", port: Number(opened.at[0]?.split(":")[1]) };
    const socket = transport === "tcp" ? connect(at) : connectTls({ ...at, rejectUnauthorized: false });
    sockets.push(socket);
    socket.on("error", () => undefined);
    await once(socket, transport === "tcp" ? "connect" : "secureConnect");
    return socket;
  };

  /** The server's end of a new connection. */
  const accepted = async (): Promise<{ socket: Socket; path: ListenerPath }> => {
    const socket = await client();
    const { length } = paths;
    socket.write(binding);
    await expect.poll(() => paths.length).toBe(length + 1);
    return { socket, path: paths[length]! };
  };

  const flowOn = (path: ListenerPath): Flow => {
    const gate = { generation: 0 };
    const flow = new Flow(path, noTraffic(), noDrops(), gate, { meet: () => undefined, revalidate: () => undefined });
    path.install(flow);
    return flow;
  };

  it("writes what is sent in one turn in its order, over TCP in one piece", async () => {
    const { socket, path } = await accepted();
    const heard: string[] = [];
    socket.on("data", (chunk) => heard.push(String(chunk)));
    const media = Buffer.from("media-answer-media");
    path.send(media, 0, 6, true);
    path.send(media, 6, 13, false);
    path.send(media, 13, 18, true);
    await expect.poll(() => heard.join("")).toBe("media-answer-media");
    if (transport === "tcp") expect(heard).toHaveLength(1);
  });

  it("reads frames however they are cut", async () => {
    const { socket } = await accepted();
    const bytes = Buffer.concat(Array.from({ length: 20 }, () => binding));
    for (const byte of bytes) socket.write(Buffer.from([byte]));
    await expect.poll(() => paths.length).toBe(21);
    socket.write(bytes);
    await expect.poll(() => paths.length).toBe(41);
    expect(owner.reasons).toEqual([]);
  });

  it("looks at messages one after the other, and reads none while others wait", async () => {
    const { socket } = await accepted();
    owner.isBusy = true;
    socket.write(Buffer.concat([binding, binding, binding]));
    await expect.poll(() => owner.calm.length).toBe(1);
    expect(paths).toHaveLength(2);
    owner.isBusy = false;
    owner.calm.shift()?.();
    await expect.poll(() => paths.length).toBe(4);
  });

  it("sends all of what a client is slow to read, in order", async () => {
    const { socket, path } = await accepted();
    socket.pause();
    const sent: Buffer[] = [];
    // Until the kernel's buffer is full, and some wait here.
    for (let n = 0; sent.length < 2000; n++) {
      const piece = Buffer.alloc(1 + ((n * 7919) % 20_000), n);
      if (!path.send(piece, 0, piece.length, true)) break;
      sent.push(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sent.length).toBeLessThan(2000);
    const whole = Buffer.concat(sent);
    const heard: Buffer[] = [];
    let length = 0;
    socket.on("data", (chunk: Buffer) => {
      heard.push(chunk);
      length += chunk.length;
    });
    socket.resume();
    await expect.poll(() => length).toBe(whole.length);
    expect(Buffer.concat(heard).equals(whole)).toBe(true);
    expect(path.send(Buffer.from("last"), 0, 4, true)).toBe(true);
    await expect.poll(() => length).toBe(whole.length + 4);
  });

  it("becomes a socket that begins with what was not taken", async () => {
    const { socket, path } = await accepted();
    let taken: Socket | undefined;
    owner.took = (of) => void (taken = of.takeOver?.());
    socket.write(Buffer.concat([binding, Buffer.from("no frame")]));
    await expect.poll(() => taken).toBeDefined();
    path.send(Buffer.from("answer"), 0, 6, false);
    taken!.resume();
    const [rest] = await once(taken!, "data");
    expect(String(rest)).toBe("no frame");
    const [answer] = await once(socket, "data");
    expect(String(answer)).toBe("answer");
    socket.end();
    await expect.poll(() => owner.ended.includes(path)).toBe(true);
  });

  it("closes a connection without an allocation after 30 seconds, and keeps one that has one", async () => {
    const [idle, busy] = [await accepted(), await accepted()];
    flowOn(busy.path);
    const closed = once(idle.socket, "close");
    vi.advanceTimersByTime(29_000);
    expect(owner.reasons).toEqual([]);
    vi.advanceTimersByTime(2000);
    await closed;
    expect(owner.reasons).toEqual(["idle-connection"]);
    expect(busy.socket.destroyed).toBe(false);
  });

  it("closes a connection whose frame does not end", async () => {
    const { socket, path } = await accepted();
    flowOn(path);
    socket.write(Buffer.concat([binding, binding.subarray(0, 7)]));
    await expect.poll(() => paths.length).toBe(2);
    const closed = once(socket, "close");
    vi.advanceTimersByTime(32_000);
    await closed;
    expect(owner.reasons).toEqual(["partial-frame"]);
  });

  it("closes a connection that announces a long frame before it has an allocation", async () => {
    const { socket } = await accepted();
    socket.write(Buffer.from([0x40, 0, 0xff, 0xff]));
    await once(socket, "close");
    expect(owner.reasons).toEqual(["frame-too-long"]);
  });

  it("drops media for a client that does not read, and holds a bounded backlog", async () => {
    const { socket, path } = await accepted();
    socket.pause();
    flowOn(path);
    let sent = 0;
    while (path.send(Buffer.alloc(65_536), 0, 65_536, true)) if (++sent > 2000) break;
    expect(sent).toBeLessThan(2000);
    expect(path.send(Buffer.alloc(4), 0, 4, true)).toBe(false);
  });
});
