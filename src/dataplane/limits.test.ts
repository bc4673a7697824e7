import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import pino from "pino";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { freePort } from "../../test/support/free-port.ts";
import type * as clock from "../clock.ts";
import { TurnClient } from "../turn-client/turn-client.ts";
import { ControlQueue } from "./control-queue.ts";
import { createRelay } from "./create-relay.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { placeOn } from "./placement.ts";
import { TokenBucket } from "./token-bucket.ts";
import { Users } from "./users.ts";

/** The relay's monotonic clock, while it stands still: what refills with time does so when a test says so. */
const stopped = vi.hoisted(() => ({ atMs: undefined as number | undefined }));
vi.mock("../clock.ts", async (original) => {
  const real = await original<typeof clock>();
  return { ...real, monotonicMs: () => stopped.atMs ?? real.monotonicMs() };
});
/** At a whole number: a fraction may be rounded when time is added, and a bucket then lacks a billionth of a token. */
const stopClock = (): void => void (stopped.atMs = Math.ceil(performance.now()));
const passSeconds = (seconds: number): void => void (stopped.atMs = (stopped.atMs ?? Number.NaN) + seconds * 1000);

afterEach(() => {
  stopped.atMs = undefined;
});

const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "success",
    (error: { code?: number; message: string }) => error.code ?? error.message,
  );

const world = async (engine: "batch" | "dgram", limits: Partial<Limits>) => {
  const port = await freePort("127.0.0.1");
  const place = placeOn(["127.0.0.1"]);
  const relay = createRelay({ place, own: [], engine, limits, log: pino({ level: "silent" }) });
  onTestFinished(() => relay.close());
  await relay.apply({
    version: "v1",
    admin: { name: "gw" },
    auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
    listeners: (["TURN-UDP", "TURN-TCP"] as const).map((protocol) => ({
      name: `gw/${protocol}`,
      protocol,
      address: "",
      port,
      routes: ["udp", "tcp"],
    })),
    clusters: (["UDP", "TCP"] as const).map((protocol) => ({
      name: protocol.toLowerCase(),
      type: "STATIC",
      protocol,
      endpoints: ["127.0.0.1"],
    })),
  });
  const client = async (transport: "udp" | "tcp" = "udp"): Promise<TurnClient> => {
    // No request is sent twice, however late its answer.
    const patience = { retransmitMilliseconds: 600_000, timeoutMilliseconds: 600_000 };
    const made = await TurnClient.connect({
      host: "127.0.0.1",
      port,
      transport,
      username: "u",
      password: "p",
      ...patience,
    });
    onTestFinished(() => made.close());
    return made;
  };
  return { relay, client };
};

/** Counts those of `requests` that succeed. */
const successesOf = (requests: readonly Promise<unknown>[]): (() => number) => {
  let count = 0;
  for (const request of requests)
    request.then(
      () => (count += 1),
      () => undefined,
    );
  return () => count;
};

const sink = async () => {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return { address: "127.0.0.1", port: socket.address().port, socket };
};

describe.each(["dgram", "batch"] as const)("with the %s engine", (engine) => {
  it.each([
    ["user", { userBytesPerSecond: 100_000 }],
    ["listener", { listenerBytesPerSecond: 100_000 }],
  ] as const)(
    "a %s's data is held to so many bytes a second, each way, and the rest is counted",
    async (whose, limits) => {
      stopClock();
      const { relay, client: make } = await world(engine, limits);
      const peer = await sink();
      // Both of one user, and of one listener: the budget is shared.
      const clients = [await make(), await make()];
      for (const client of clients) {
        await client.allocate();
        await client.channelBind(0x4000, peer);
      }
      const sent = 200;
      for (let n = 0; n < sent; n++) for (const client of clients) client.sendChannel(0x4000, Buffer.alloc(1000));
      const passed = () => relay.state().allocations.reduce((sum, { bytesIn }) => sum + bytesIn, 0);
      const dropped = () => relay.state().dropped[`${whose}-bandwidth`] ?? 0;
      await expect.poll(() => passed() / 1000 + dropped()).toBe(2 * sent);
      // The burst, in whole packets.
      expect(passed()).toBe(65_000);
      const before = dropped();
      // As many as fit the receive buffer of a relayed address.
      const back = 80;
      for (const { relayed } of relay.state().allocations)
        for (let n = 0; n < back; n++) peer.socket.send(Buffer.alloc(1000), Number(relayed.split(":")[1]), "127.0.0.1");
      await expect.poll(dropped).toBe(before + 2 * back - 65);
      // It comes back with time, of which the packet path hears with the next tick.
      passSeconds(0.1);
      await expect
        .poll(() => {
          clients[0]!.sendChannel(0x4000, Buffer.alloc(1000));
          return passed();
        })
        .toBe(65_000 + 10_000);
    },
  );

  it("a stream to a TCP peer is slowed down, and loses nothing", async () => {
    const { relay, client: make } = await world(engine, { userBytesPerSecond: 1_000_000 });
    const total = 500_000;
    const server = createServer((socket) => void socket.end(Buffer.alloc(total))).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const client = await make("tcp");
    await client.allocate({ peers: "tcp" });
    const { port } = server.address() as { port: number };
    const data = await client.connectionBind(await client.connect({ address: "127.0.0.1", port }));
    const began = performance.now();
    let received = 0;
    data.on("data", (chunk: Buffer) => (received += chunk.length)).resume();
    await once(data, "end");
    expect(received).toBe(total);
    // A quarter of a second's worth is there at once.
    expect(performance.now() - began).toBeGreaterThan(150);
    expect(relay.state().dropped["user-bandwidth"] ?? 0).toBe(0);
  });

  it("requests beyond a listener's rate are not looked at, and counted", async () => {
    stopClock();
    const { relay, client: make } = await world(engine, { listenerRequestsPerSecond: 20 });
    const clients = await Promise.all(Array.from({ length: 60 }, () => make()));
    const answered = successesOf(clients.map((client) => client.binding()));
    await expect.poll(() => [answered(), relay.state().dropped["listener-requests"]]).toEqual([20, 40]);
    passSeconds(0.05);
    await (await make()).binding();
  });

  it("requests beyond a user's rate are dropped, whichever allocations they are of", async () => {
    stopClock();
    const { relay, client: make } = await world(engine, { userRequestsPerSecond: 10 });
    const client = await make();
    // The first of the ten.
    await client.allocate();
    const answered = successesOf(Array.from({ length: 40 }, () => client.refresh()));
    await expect.poll(() => [answered(), relay.state().dropped["user-requests"]]).toEqual([9, 31]);
    // An unauthenticated request counts for no user.
    await (await make()).binding();
    passSeconds(0.1);
    expect(await client.refresh()).toBe(600);
  });

  it("allocations and permissions are refused with 508 beyond theirs", async () => {
    const { relay, client: make } = await world(engine, { maxAllocations: 1, maxPermissions: 0 });
    const client = await make();
    await client.allocate();
    expect(await code((await make()).allocate())).toBe(508);
    expect(await code(client.createPermission("127.0.0.1"))).toBe(508);
    expect(relay.state().refused).toMatchObject({ "508 allocations": 1, "508 permissions": 1 });
  });
});

describe("a token bucket", () => {
  it("holds no more than its burst, and refills with time, which never goes back", () => {
    const bucket = new TokenBucket(10, 5);
    expect([1, 2, 3, 4, 5, 6].map(() => bucket.take(1000))).toEqual([true, true, true, true, true, false]);
    expect(bucket.take(1099)).toBe(false);
    expect(bucket.take(1200)).toBe(true);
    expect(bucket.take(1200)).toBe(true);
    expect(bucket.take(1150)).toBe(false);
    expect(bucket.has(100_000, 5)).toBe(true);
    expect(bucket.has(100_000, 6)).toBe(false);
    expect(bucket.owe(100_000, 15)).toBe(1000);
  });
});

describe("users", () => {
  it("are remembered while they hold something or ask, and forgotten then", () => {
    const users = new Users({ ...defaultLimits, userRequestsPerSecond: 1, userBytesPerSecond: 1 });
    users.hold("kept");
    const { [0]: budget } = [users.budgetOf("kept")];
    for (let n = 0; n < 5000; n++) users.mayAsk(`user-${n}`, n * 10);
    expect(users.budgetOf("user-0")).toBeUndefined();
    expect(users.budgetOf("user-4999")).toBeDefined();
    expect(users.budgetOf("kept")).toBe(budget);
    expect(users.mayAsk("user-4999", 50_000 - 10)).toBe(false);
  });
});

describe("the control queue", () => {
  it("leaves what is too much for a turn to the next one, the signed first, and drops what is too much at all", async () => {
    const queue = new ControlQueue();
    const done: string[] = [];
    const work = (name: string) => () => {
      done.push(name);
      const until = performance.now() + 0.6;
      while (performance.now() < until);
    };
    expect(queue.isBusy).toBe(false);
    for (const [name, isSigned] of [
      ["a", false],
      ["b", false],
      ["c", true],
    ] as const)
      queue.do(work(name), isSigned);
    expect(done).toEqual(["a"]);
    expect(queue.isBusy).toBe(true);
    await new Promise<void>((resolve) => queue.whenCalm(resolve));
    expect(done).toEqual(["a", "c", "b"]);
    queue.do(work("d"), false);
    const kept = Array.from({ length: 3000 }, () => queue.do(() => undefined, false)).filter(Boolean);
    expect(kept).toHaveLength(2048);
    expect(queue.do(() => undefined, true)).toBe(true);
  });
});
