import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { freePort } from "../../test/support/free-port.ts";
import type { ClusterConfig, DataplaneConfig } from "../resources/dataplane-config.ts";
import { TurnClient, type AllocateOptions } from "../turn-client/turn-client.ts";
import { createRelay } from "./create-relay.ts";
import type { EngineName } from "./engines/choose.ts";
import { placeOn } from "./placement.ts";
import type { Relay, RelayEvent } from "./relay.ts";
import { attribute } from "../stun/attributes.ts";
import { method } from "../stun/message.ts";

afterEach(() => {
  vi.useRealTimers();
});

const listening = async (server: Server, host = "127.0.0.1"): Promise<number> => {
  server.listen(0, host);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
};

/** A TCP peer; `take` gets every connection. */
const peerOn = async (take: (socket: Socket) => void, address = "127.0.0.1") => {
  const server = createServer((socket) => {
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => undefined);
    take(socket);
  });
  return { address, port: await listening(server, address) };
};
const echo = (address?: string) => peerOn((socket) => void socket.pipe(socket), address);

const tcpPeers: ClusterConfig = { name: "ns/tcp", type: "STATIC", protocol: "TCP", endpoints: ["127.0.0.1", "::1"] };
const udpPeers: ClusterConfig = { ...tcpPeers, name: "ns/udp", protocol: "UDP" };

/** `workers`: the batch engine on three threads. A client's connections come to any of them. */
type Engine = EngineName | "workers";

const world = async (engine: Engine, clusters: readonly ClusterConfig[] = [tcpPeers]) => {
  const own = ["127.0.0.1", "::1"];
  const relay: Relay = createRelay({
    place: placeOn(own),
    own,
    ...(engine === "workers" ? { engine: "batch", workers: 3 } : { engine }),
    log: pino({ level: "silent" }),
  });
  onTestFinished(() => relay.close());
  const events: RelayEvent[] = [];
  relay.events.subscribe((event) => events.push(event));
  const port = await freePort("127.0.0.1");
  const config = (now = clusters): DataplaneConfig => ({
    version: "v1",
    admin: { name: "ns/gw" },
    auth: { type: "static", realm: "turnpike.test", credentials: { username: "u", password: "p" } },
    listeners: (["TURN-UDP", "TURN-TCP"] as const).map((protocol) => ({
      name: `ns/gw/${protocol}`,
      protocol,
      address: "",
      port,
      routes: ["ns/tcp", "ns/udp"],
    })),
    clusters: now,
  });
  const { listeners } = await relay.apply(config());
  expect(listeners.map(({ change }) => change)).toEqual(["started", "started"]);
  const client = async (transport: "tcp" | "udp" = "tcp", password = "p"): Promise<TurnClient> => {
    const made = await TurnClient.connect({ host: "127.0.0.1", port, transport, username: "u", password });
    onTestFinished(() => made.close());
    return made;
  };
  const allocated = async (options: AllocateOptions = {}) => {
    const made = await client();
    return { client: made, ...(await made.allocate({ peers: "tcp", ...options })) };
  };
  const bind = async (by: TurnClient, id: number): Promise<Socket> => {
    const socket = await by.connectionBind(id);
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => undefined);
    return socket;
  };
  const state = async () => {
    await relay.refresh();
    return relay.state();
  };
  return { relay, state, port, events, config, client, allocated, bind };
};

const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "success",
    (error: { code?: number; message: string }) => error.code ?? error.message,
  );

/** Reads `count` bytes. */
const read = async (socket: Socket, count: number): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let length = 0;
  socket.resume();
  while (length < count) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    chunks.push(chunk);
    length += chunk.length;
  }
  return Buffer.concat(chunks);
};

describe.each(["dgram", "batch", "workers"] as const)("with the %s engine, a TCP allocation", (engine) => {
  let here: Awaited<ReturnType<typeof world>>;
  beforeEach(async () => {
    here = await world(engine);
  });

  it("connects to a peer from the relayed address, and carries a stream both ways", async () => {
    let from = 0;
    const peer = await peerOn((socket) => {
      from = socket.remotePort ?? 0;
      socket.pipe(socket);
    });
    const { client, relayed } = await here.allocated();
    const data = await here.bind(client, await client.connect(peer));
    expect(from).toBe(relayed[0]!.port);
    // Neither STUN nor ChannelData, and far more than buffers hold.
    const sent = Buffer.alloc(4 << 20, "\xffstream");
    data.write(sent);
    expect((await read(data, sent.length)).equals(sent)).toBe(true);
    expect((await here.state()).allocations).toMatchObject([
      { protocol: "tcp", peerProtocol: "tcp", connections: 1, bytesIn: sent.length, bytesOut: sent.length },
    ]);
    const closed = once(data, "close");
    expect(await client.refresh(0)).toBe(0);
    await closed;
    expect(here.events.at(-1)).toMatchObject({ event: "allocation.closed", bytesIn: sent.length });
  });

  it("reads no faster than the other side takes", async () => {
    const source = await peerOn((socket) => void socket.write(Buffer.alloc(64 << 20)));
    const { client } = await here.allocated();
    const data = await here.bind(client, await client.connect(source));
    const sofar = async (): Promise<number> => (await here.state()).allocations[0]?.bytesOut ?? 0;
    // It comes to a halt, well before the end.
    let last = -1;
    await expect
      .poll(
        async () => {
          const now = await sofar();
          const same = now > 0 && now === last;
          last = now;
          return same;
        },
        { interval: 200 },
      )
      .toBe(true);
    expect(await sofar()).toBeLessThan(32 << 20);
    data.resume();
    await expect.poll(sofar).toBe(64 << 20);
  });

  it("announces a peer that connects, and keeps what it sent until the connection is bound", async () => {
    const { client, relayed } = await here.allocated();
    await client.createPermission("127.0.0.1");
    const peer = connect(relayed[0]!.port, "127.0.0.1");
    onTestFinished(() => void peer.destroy());
    peer.write("hello");
    const { via, connectionId, peer: told } = await client.receive();
    expect({ via, told }).toEqual({ via: "attempt", told: { address: "127.0.0.1", port: peer.localPort } });
    const data = await here.bind(client, connectionId!);
    expect((await read(data, 5)).toString()).toBe("hello");
    data.write("and back");
    expect((await read(peer, 8)).toString()).toBe("and back");
    const ended = once(data, "end");
    data.resume();
    peer.end();
    await ended;
  });

  it("closes the connection of a peer without a permission", async () => {
    const { relayed } = await here.allocated();
    const peer = connect(relayed[0]!.port, "127.0.0.1");
    peer.on("error", () => undefined);
    peer.resume();
    await once(peer, "close");
    expect((await here.state()).dropped["no-permission"]).toBe(1);
  });

  it("ends its streams at once when the endpoint is revoked", async () => {
    const { client } = await here.allocated();
    const data = await here.bind(client, await client.connect(await echo()));
    data.write("on");
    await read(data, 2);
    const closed = once(data, "close");
    const applied = here.relay.apply(here.config([{ ...tcpPeers, endpoints: ["127.0.0.9"] }]));
    // The pool tells of its workers a moment later.
    if (engine !== "workers") expect(here.relay.state().allocations).toMatchObject([{ bytesIn: 2 }]);
    await closed;
    expect((await applied).admission).toContainEqual({
      change: "revoke",
      cluster: "ns/tcp",
      endpoint: "127.0.0.1",
      permissions: 0,
      channels: 0,
      connections: 1,
    });
    await expect.poll(async () => (await here.state()).allocations[0]?.connections).toBe(0);
    expect(await code(client.connect(await echo()))).toBe(403);
  });

  it("ends its streams when the cluster is for UDP peers from now on", async () => {
    const { client } = await here.allocated();
    const data = await here.bind(client, await client.connect(await echo()));
    const closed = once(data, "close");
    data.resume();
    await here.relay.apply(here.config([{ ...tcpPeers, protocol: "UDP" }]));
    await closed;
    await expect.poll(async () => (await here.state()).allocations[0]?.connections).toBe(0);
  });

  it("reaches only what a cluster for TCP admits, and a UDP allocation only what one for UDP does", async () => {
    const peer = await echo();
    const { client } = await here.allocated();
    const udp = await here.client("udp");
    await udp.allocate();
    expect(await code(udp.createPermission("127.0.0.1"))).toBe(403);
    expect(await code(client.createPermission("127.0.0.1"))).toBe("success");
    await here.relay.apply(here.config([udpPeers]));
    expect(await code(udp.channelBind(0x4000, peer))).toBe("success");
    expect(await code(client.createPermission("127.0.0.1"))).toBe(403);
    expect(await code(client.connect(peer))).toBe(403);
    expect(here.events.filter(({ event }) => event === "peer.refused").at(-1)).toMatchObject({
      reason: expect.stringMatching(/revoked|for UDP alone/),
    });
  });

  it("is refused over datagrams, and with what does not go with it", async () => {
    const udp = await here.client("udp");
    expect(await code(udp.allocate({ peers: "tcp" }))).toBe(400);
    const tcp = await here.client();
    expect(await code(tcp.allocate({ peers: "tcp", evenPort: "single" }))).toBe(400);
    expect(await code(tcp.allocate({ peers: "tcp", reservationToken: Buffer.alloc(8) }))).toBe(400);
    expect(await code(tcp.allocate({ peers: "tcp", dontFragment: true }))).toBe(400);
    expect(await code(tcp.allocate({ peers: "tcp" }))).toBe("success");
  });

  it("answers Connect with the code that the RFC gives", async () => {
    const peer = await echo();
    const { client } = await here.allocated();
    await client.connect(peer);
    expect(await code(client.connect(peer))).toBe(446);
    expect(await code(client.connect({ ...peer, address: "10.0.0.9" }))).toBe(403);
    expect(await code(client.connect({ ...peer, address: "::1" }))).toBe(443);
    expect(await code(client.connect({ ...peer, port: 0 }))).toBe(400);
    expect(await code(client.channelBind(0x4000, peer))).toBe(400);
    const closed = createServer();
    const port = await listening(closed);
    await new Promise((resolve) => closed.close(resolve));
    expect(await code(client.connect({ ...peer, port }))).toBe(447);
    const udp = await here.client();
    expect(await code(udp.connect(peer))).toBe(437);
    await udp.allocate();
    expect(await code(udp.connect(peer))).toBe(437);
  });

  it("binds a connection once, and only for the user that it is for", async () => {
    const { client } = await here.allocated();
    const id = await client.connect(await echo());
    expect(await code(client.connectionBind((id ^ 1) >>> 0))).toBe(400);
    const other = await here.client("tcp", "wrong");
    expect(await code(other.connectionBind(id))).not.toBe("success");
    const control = [{ type: attribute.connectionId, raw: Buffer.from([id >>> 24, id >>> 16, id >>> 8, id]) }];
    expect(await code(client.request(method.connectionBind, control))).toBe(400);
    expect(await code(client.request(method.connectionBind, []))).toBe(400);
    const data = await here.bind(client, id);
    expect(await code(client.connectionBind(id))).toBe(400);
    data.write("mine");
    expect((await read(data, 4)).toString()).toBe("mine");
  });

  it("reaches peers of both families where it has both addresses", async () => {
    const { client } = await here.allocated({ dual: true });
    for (const address of ["127.0.0.1", "::1"]) {
      const data = await here.bind(client, await client.connect(await echo(address)));
      data.write(address);
      expect((await read(data, address.length)).toString()).toBe(address);
    }
  });
});

// The clock of worker threads cannot be advanced.
it.each(["dgram", "batch"] as const)(
  "with the %s engine, a TCP allocation gives up a connection that nobody binds to within 30 seconds",
  async (engine) => {
    const here = await world(engine);
    let lost: Promise<unknown> | undefined;
    const peer = await peerOn((socket) => {
      socket.resume();
      lost = once(socket, "close");
    });
    const { client } = await here.allocated();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const id = await client.connect(peer);
    vi.advanceTimersByTime(29_000);
    expect((await here.state()).allocations[0]?.connections).toBe(1);
    vi.advanceTimersByTime(2000);
    vi.useRealTimers();
    await lost;
    await expect.poll(async () => (await here.state()).allocations[0]?.connections).toBe(0);
    expect(await code(client.connectionBind(id))).toBe(400);
  },
);
