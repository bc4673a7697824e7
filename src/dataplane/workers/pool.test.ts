import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { pino, type Logger } from "pino";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { makeCertificate } from "../../../test/support/certificate.ts";
import { freePort } from "../../../test/support/free-port.ts";
import { startEchoBackend, type EchoBackend } from "../../../test/support/live.ts";
import { startStream, type Stream } from "../../../test/support/stream.ts";
import type { AdmissionTransition } from "../../admission/transition.ts";
import type { DataplaneConfig } from "../../resources/dataplane-config.ts";
import { TurnClient } from "../../turn-client/turn-client.ts";
import { placeOn } from "../placement.ts";
import type { RelayEvent } from "../relay.ts";
import { WorkerPool } from "./pool.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { offload } from "../../../test/support/offload.ts";

const WORKERS = 3;

let pool: WorkerPool;
let echo: EchoBackend;
let port: number;
let events: RelayEvent[];
let logged: string[];
let log: Logger;

const config = (endpoints: readonly string[] = ["127.0.0.1"], quota = 0): DataplaneConfig => ({
  version: "v1",
  admin: { name: "ns/gw", user_quota: quota, ...offload() },
  auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
  listeners: [
    { name: "ns/gw/udp", protocol: "TURN-UDP", address: "", port, routes: ["ns/r"] },
    { name: "ns/gw/tcp", protocol: "TURN-TCP", address: "", port, routes: ["ns/r"] },
  ],
  clusters: [{ name: "ns/r", type: "STATIC", protocol: "UDP", endpoints }],
});
const connection = (transport: "udp" | "tcp" | "tls" = "udp") => ({
  host: "127.0.0.1",
  port,
  transport,
  username: "u",
  password: "p",
});
const stream = async (transport: "udp" | "tcp" = "udp"): Promise<Stream> => {
  const started = await startStream(connection(transport), echo);
  onTestFinished(() => started.stop());
  await started.flows(3);
  return started;
};
const allocations = async () => {
  await pool.refresh();
  return pool.state().allocations;
};
/** The worker that an allocation is on, by its number. */
const workerOf = (id: number): number => (id - 1) % WORKERS;
const everyWorker = new Set(Array.from({ length: WORKERS }, (_, index) => index));

/** A listener for TLS, of the same port as TCP has, and a cluster of TCP peers. */
const withTls = async () => {
  const { certificate, cert64, key64 } = makeCertificate();
  const routes = ["ns/r"];
  await pool.apply({
    ...config(),
    listeners: [{ name: "ns/gw/tls", protocol: "TURN-TLS", address: "", port, routes, cert: cert64, key: key64 }],
    clusters: [{ name: "ns/r", type: "STATIC", protocol: "TCP", endpoints: ["127.0.0.1"] }],
  });
  return { certificate, at: { host: "127.0.0.1", port, servername: "localhost" } };
};

beforeEach(async () => {
  echo = await startEchoBackend();
  port = await freePort("127.0.0.1");
  events = [];
  logged = [];
  log = pino({ level: "silent" }, { write: (line) => void logged.push(line) });
  pool = new WorkerPool({ place: placeOn(["127.0.0.1"]), own: [], engine: "batch", workers: WORKERS, log });
  pool.events.subscribe((event) => events.push(event));
  onTestFinished(async () => {
    await pool.close();
    await echo.close();
  });
});

describe("a pool of workers", () => {
  it("spreads clients of every transport over its workers, and reports the state of all", async () => {
    const report = await pool.apply(config());
    expect(report.listeners).toMatchObject([
      { listener: "ns/gw/udp", change: "started", at: [`127.0.0.1:${port}`] },
      { listener: "ns/gw/tcp", change: "started", at: [`127.0.0.1:${port}`] },
    ]);
    expect(report.admission).toEqual([{ change: "admit", cluster: "ns/r", endpoint: "127.0.0.1" }]);
    const calls = await Promise.all(
      (["udp", "tcp"] as const).flatMap((transport) => Array.from({ length: 24 }, () => stream(transport))),
    );
    const open = await allocations();
    expect(open).toHaveLength(48);
    expect(new Set(open.map(({ id }) => id)).size).toBe(48);
    for (const transport of ["udp", "tcp"]) {
      const some = open.filter(({ protocol }) => protocol === transport);
      expect(new Set(some.map(({ id }) => workerOf(id)))).toEqual(everyWorker);
    }
    expect(await Promise.all(calls.map((one) => one.lost()))).toEqual(calls.map(() => []));
    await pool.refresh();
    for (const [index, listener] of pool.state().listeners.entries()) {
      const sent = calls.slice(24 * index, 24 * (index + 1)).reduce((sum, one) => sum + one.sent, 0);
      expect(listener.packetsIn).toBeGreaterThanOrEqual(sent);
    }
    expect(pool.state().listeners[1]).toMatchObject({ connections: 24, connectionsTotal: 24 });
  });

  it("revokes on every worker, and adds up what was dropped", async () => {
    await pool.apply(config());
    const calls = await Promise.all(Array.from({ length: 12 }, () => stream()));
    const { admission } = await pool.apply(config([]));
    expect(admission).toEqual([
      { change: "revoke", cluster: "ns/r", endpoint: "127.0.0.1", permissions: 12, channels: 12 },
    ]);
    const sent = calls.map((one) => one.sent);
    await eventually(() => expect(calls[0]!.sent).toBeGreaterThan(sent[0]! + 5));
    for (const [index, { received }] of calls.entries())
      expect([...received].filter((number) => number > sent[index]! + 1)).toEqual([]);
  });

  it("takes transitions to every worker with their cause, and to one that has just begun what they have led to", async () => {
    const step = (from: number, ...transitions: readonly AdmissionTransition[]) => ({
      admission: { from, to: from + 1, transitions },
    });
    const because = { entity: "ns/s#127.0.0.1", from: "active", to: "gone" };
    const revoke = { change: "revoke", cluster: "ns/r", endpoint: "127.0.0.1", cause: 7, because } as const;
    await pool.apply(config(["127.0.0.1", "127.0.0.2"]), step(0));
    await Promise.all(Array.from({ length: 12 }, () => stream()));
    const { admission } = await pool.apply(config(["127.0.0.2"]), step(1, revoke));
    expect(admission).toEqual([{ ...revoke, permissions: 12, channels: 12 }]);
    expect(await allocations()).toHaveLength(12);

    pool.failWorker(0, "for this test");
    await eventually(() => expect(events).toContainEqual({ event: "worker.restored", worker: 0 }));
    const again = { change: "admit", cluster: "ns/r", endpoint: "127.0.0.1" } as const;
    await pool.apply(config(["127.0.0.1", "127.0.0.2"]), step(2, again));
    // The kernel chooses a thread for each: with 36 of them, none is without a client.
    const more = await Promise.all(Array.from({ length: 36 }, () => stream()));
    expect(new Set((await allocations()).map(({ id }) => workerOf(id)))).toContain(0);
    expect(await Promise.all(more.map((one) => one.lost()))).toEqual(more.map(() => []));
  });

  it("replaces a worker that ends: its clients begin anew, and nobody else loses a packet", async () => {
    await pool.apply(config());
    const calls = await Promise.all([...Array.from({ length: 24 }, () => stream()), stream("tcp")]);
    const open = await allocations();
    const clientsOf = (worker: number, wanted: string) =>
      calls.filter(({ client }) =>
        open.some(
          ({ id, client: at, protocol }) =>
            workerOf(id) === worker && protocol === wanted && at.endsWith(`:${client.local.port}`),
        ),
      );
    const struck = [...clientsOf(1, "udp"), ...clientsOf(1, "tcp")];
    expect(struck.length).toBeGreaterThan(0);
    const others = calls.filter((one) => !struck.includes(one));
    pool.failWorker(1, "for a test");
    await eventually(() => expect(events.at(-1)).toEqual({ event: "worker.restored", worker: 1 }));
    expect(events).toContainEqual({
      event: "worker.lost",
      worker: 1,
      reason: "for a test",
      allocations: struck.length,
    });
    expect(await allocations()).toHaveLength(calls.length - struck.length);
    await Promise.all(others.map((one) => one.flows(20)));
    expect(await Promise.all(others.map((one) => one.lost()))).toEqual(others.map(() => []));
    // From the same port, which the kernel gives to the same worker.
    const [udp] = clientsOf(1, "udp");
    await udp!.client.allocate();
    const mine = (await allocations()).find(({ client }) => client.endsWith(`:${udp!.client.local.port}`));
    expect(workerOf(mine!.id)).toBe(1);
    expect(open.map(({ id }) => id)).not.toContain(mine!.id);
  });

  it("holds a user to a quota over all workers, and gives back what a worker that ended had", async () => {
    await pool.apply(config(["127.0.0.1"], 4));
    const attempts = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const client = await TurnClient.connect(connection());
        onTestFinished(() => client.close());
        return client.allocate().then(
          () => client,
          (error: { readonly code: number }) => error.code,
        );
      }),
    );
    expect(attempts.filter((outcome) => outcome === 486)).toHaveLength(8);
    const open = await allocations();
    expect(open).toHaveLength(4);
    for (const worker of [0, 1, 2]) pool.failWorker(worker, "for a test");
    await eventually(() => expect(events.filter(({ event }) => event === "worker.restored")).toHaveLength(WORKERS));
    const client = await TurnClient.connect(connection());
    onTestFinished(() => client.close());
    await client.allocate();
    expect(await allocations()).toHaveLength(1);
  });

  it("gives a reserved port to its token on whichever thread that arrives, by UDP or TCP", async () => {
    await pool.apply(config());
    const open = async (transport: "udp" | "tcp" = "udp"): Promise<TurnClient> => {
      const client = await TurnClient.connect(connection(transport));
      onTestFinished(() => client.close());
      return client;
    };
    for (let round = 0; round < 24; round += 1) {
      const [one, two] = [await open(), await open(round % 4 === 0 ? "tcp" : "udp")];
      const { relayed, reservationToken } = await one.allocate({ evenPort: "reserve" });
      const next = await two.allocate({ reservationToken: reservationToken! });
      expect(next.relayed[0]!.port).toBe(relayed[0]!.port + 1);
      // The port that went from one thread to another carries packets both ways.
      await two.channelBind(0x4000, echo);
      two.sendChannel(0x4000, Buffer.from(`round ${round}`));
      expect((await two.receive()).data.toString()).toBe(`round ${round}`);
      const again = await open();
      await expect(again.allocate({ reservationToken: reservationToken! })).rejects.toMatchObject({ code: 508 });
    }
    const held = await allocations();
    expect(new Set(held.map(({ id }) => workerOf(id)))).toEqual(everyWorker);
  });

  it("lets clients on any two threads call each other where the route is a wildcard, but not once one is gone", async () => {
    await pool.apply(config(["0.0.0.0/0"]));
    const open = async (transport: "udp" | "tcp" = "udp") => {
      const client = await TurnClient.connect(connection(transport));
      onTestFinished(() => client.close());
      return { client, at: (await client.allocate()).relayed[0]! };
    };
    const threads = async (): Promise<ReadonlySet<number>> =>
      new Set((await allocations()).map(({ id }) => workerOf(id)));
    const all = [await open("tcp")];
    // The kernel spreads clients over threads as it likes.
    while (all.length < 12 || ((await threads()).size < WORKERS && all.length < 100)) all.push(await open());
    for (const [index, { client, at }] of all.entries()) {
      const other = all[(index + 1) % all.length]!;
      await client.channelBind(0x4000, other.at);
      await other.client.createPermission(at.address);
      client.sendChannel(0x4000, Buffer.from(`from ${index}`));
      expect((await other.client.receive()).data.toString()).toBe(`from ${index}`);
    }
    expect(await threads()).toEqual(everyWorker);
    await expect(all[0]!.client.channelBind(0x4001, echo)).rejects.toMatchObject({ code: 403 });
    await expect(all[1]!.client.channelBind(0x4001, { address: "127.0.0.1", port })).rejects.toMatchObject({
      code: 403,
    });

    for (const worker of everyWorker) pool.failWorker(worker, "for a test");
    await eventually(() => expect(events.filter(({ event }) => event === "worker.restored")).toHaveLength(WORKERS));
    const { client } = await open();
    await expect(client.createPermission("127.0.0.1")).rejects.toMatchObject({ code: 403 });
  });

  it("lets go of its ports", async () => {
    await pool.apply(config());
    await stream();
    expect(await pool.remove("ns/gw")).toBe(1);
    await pool.apply(config());
    await stream();
    await pool.close();
    const again = await startEchoBackend();
    await again.close();
    logged = [];
    log = pino({ level: "silent" }, { write: (line) => void logged.push(line) });
    pool = new WorkerPool({ place: placeOn(["127.0.0.1"]), own: [], engine: "batch", workers: 1, log });
    expect((await pool.apply(config())).listeners.every(({ change }) => change === "started")).toBe(true);
  });

  it("resumes a TLS session on whichever worker it arrives", async () => {
    const { certificate, at } = await withTls();
    const connectTls = async (session?: Buffer): Promise<TLSSocket> => {
      const socket = connect({ ...at, ca: certificate, ...(session && { session }) });
      onTestFinished(() => void socket.destroy());
      await once(socket, "secureConnect");
      return socket;
    };
    const [session] = (await once(await connectTls(), "session")) as [Buffer];
    for (let round = 0; round < 4 * WORKERS; round += 1)
      expect((await connectTls(session)).isSessionReused()).toBe(true);
  });

  it("joins connections of one client on any two workers into a stream to a TCP peer, over TLS too", async () => {
    const { certificate, at } = await withTls();
    const peer = createServer((socket) => void socket.pipe(socket)).listen(0, "127.0.0.1");
    await once(peer, "listening");
    onTestFinished(() => void peer.close());
    const to = { address: "127.0.0.1", port: (peer.address() as AddressInfo).port };
    for (let round = 0; round < 2 * WORKERS; round += 1) {
      const client = await TurnClient.connect({ ...connection("tls"), ...at, ca: certificate });
      onTestFinished(() => client.close());
      await client.allocate({ peers: "tcp" });
      const data = await client.connectionBind(await client.connect(to));
      onTestFinished(() => void data.destroy());
      data.write(`round ${round}`);
      data.resume();
      const [back] = (await once(data, "data")) as [Buffer];
      expect(back.toString()).toBe(`round ${round}`);
      const ended = once(data, "close");
      expect(await client.refresh(0)).toBe(0);
      await ended;
    }
    await pool.refresh();
    const [tls] = pool.state().listeners.filter(({ name }) => name === "ns/gw/tls");
    // A control and a data connection in each round, each counted once, wherever it came.
    expect(tls).toMatchObject({ connectionsTotal: 4 * WORKERS, handshakes: 4 * WORKERS, bytesIn: expect.any(Number) });
  });

  it("logs at the level of now, not at that of its start", async () => {
    const unresolved = (name: string): number =>
      logged.filter((line) => line.includes("does not resolve") && line.includes(name) && line.includes('"worker":'))
        .length;
    const apply = (name: string) =>
      pool.apply({ ...config(), clusters: [{ name: "ns/r", type: "STRICT_DNS", protocol: "UDP", endpoints: [name] }] });
    await apply("silent.invalid");
    log.level = "warn";
    await apply("told.invalid");
    await eventually(() => expect(unresolved("told.invalid")).toBe(WORKERS));
  });

  it("refuses a config that is not sound, whole", async () => {
    await pool.apply(config());
    const call = await stream();
    await expect(pool.apply(config(["10.0.0.1/99"]))).rejects.toThrow("is no endpoint");
    await call.flows(5);
    expect(await call.lost()).toEqual([]);
  });
});
