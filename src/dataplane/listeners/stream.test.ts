import { once } from "node:events";
import { connect, Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Flow, noDrops, noTraffic } from "../flows.ts";
import { encode } from "../../turn-client/codec.ts";
import { method } from "../../stun/message.ts";
import { defaultLimits } from "../limits.ts";
import { noCounts, type ListenerPath, type OpenListener } from "./listener.ts";
import { listenTcp } from "./tcp.ts";

const binding = encode({ method: method.binding, class: "request", transactionId: Buffer.alloc(12) });

describe("a TCP listener", () => {
  let opened: OpenListener;
  let dropped: string[];
  let paths: ListenerPath[];
  const sockets: Socket[] = [];

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    dropped = [];
    paths = [];
    opened = await listenTcp(["127.0.0.1"], 0, noTraffic(), {
      limits: defaultLimits,
      counts: noCounts(),
      proxyProtocol: false,
      streams: undefined,
      isBusy: false,
      whenCalm: (then) => then(),
      message: (_bytes, path) => void paths.push(path),
      gone: () => undefined,
      dropped: (reason) => void dropped.push(reason),
      failed: () => undefined,
    });
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await opened.close();
    vi.useRealTimers();
  });

  const client = async (): Promise<Socket> => {
    const socket = connect(Number(opened.at[0]?.split(":")[1]), "127.0.0.1");
    sockets.push(socket);
    socket.on("error", () => undefined);
    await once(socket, "connect");
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

  it("writes what is sent in one turn as one piece, in its order", async () => {
    const { socket, path } = await accepted();
    const written = vi.spyOn(Socket.prototype, "write");
    const media = Buffer.from("media-answer-media");
    path.send(media, 0, 6, true);
    path.send(media, 6, 13, false);
    path.send(media, 13, 18, true);
    media.fill(0);
    const [heard] = await once(socket, "data");
    expect(String(heard)).toBe("media-answer-media");
    expect(written).toHaveBeenCalledTimes(1);
    written.mockRestore();
  });

  it("closes a connection without an allocation after 30 seconds, and keeps one that has one", async () => {
    const [idle, busy] = [await accepted(), await accepted()];
    flowOn(busy.path);
    const closed = once(idle.socket, "close");
    vi.advanceTimersByTime(29_000);
    expect(dropped).toEqual([]);
    vi.advanceTimersByTime(2000);
    await closed;
    expect(dropped).toEqual(["idle-connection"]);
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
    expect(dropped).toEqual(["partial-frame"]);
  });

  it("closes a connection that announces a long frame before it has an allocation", async () => {
    const { socket } = await accepted();
    socket.write(Buffer.from([0x40, 0, 0xff, 0xff]));
    await once(socket, "close");
    expect(dropped).toEqual(["frame-too-long"]);
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
