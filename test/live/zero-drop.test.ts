/**
 * Two hundred calls of fifty packets a second, over UDP, TCP and TLS, while everything changes that may change under them.
 * Prints, for each change, how many packets were under way meanwhile and how many were lost.
 */
import { performance } from "node:perf_hooks";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { WorkerPool } from "../../src/dataplane/workers/pool.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { makeCertificate } from "../support/certificate.ts";
import { credentials, startTestDataplane, type ConfigChanges, type TestDataplane } from "../support/dataplane.ts";
import { startEchoBackend, type EchoBackend } from "../support/live.ts";
import { startStream, type Stream } from "../support/stream.ts";
import { eventually } from "../support/eventually.ts";

const CLIENTS = 200;
const WORKERS = 2;
const PACKETS = 20;
const table: (readonly [change: string, calls: number, sent: number, lost: number])[] = [];

let dataplane: TestDataplane;
let staying: EchoBackend;
let leaving: EchoBackend;
let streams: Stream[];

const both: ConfigChanges = { endpoints: ["127.0.0.1", "127.0.0.2"] };

const start = (index: number, backend: EchoBackend): Promise<Stream> => {
  const transport: "udp" | "tcp" | "tls" = index % 20 === 0 ? "tls" : index % 10 === 5 ? "tcp" : "udp";
  const connection = { host: "127.0.0.1", port: dataplane.ports[transport], transport, insecure: true, ...credentials };
  return startStream(connection, backend);
};
/** Calls at `backend`, all of which flow. */
const calls = async (count: number, backend: EchoBackend): Promise<Stream[]> => {
  const started: Stream[] = [];
  while (started.length < count)
    started.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(20, count - started.length) }, (_, n) => start(started.length + n, backend)),
      )),
    );
  streams.push(...started);
  await flow(started);
  return started;
};
const flow = (some: readonly Stream[], packets = PACKETS): Promise<unknown> =>
  Promise.all(some.map((one) => one.flows(packets)));

/** Waits until no packet is under way, and counts. */
const noneLost = async (change: string, some: readonly Stream[]): Promise<void> => {
  await flow(some);
  const lost = await Promise.all(some.map((one) => one.lost()));
  const sent = some.reduce((sum, one) => sum + one.sent, 0);
  const count = lost.reduce((sum, numbers) => sum + numbers.length, 0);
  table.push([change, some.length, sent, count]);
  expect(lost.filter((numbers) => numbers.length > 0)).toEqual([]);
};

beforeEach(async () => {
  [staying, leaving] = await Promise.all([startEchoBackend("127.0.0.1"), startEchoBackend("127.0.0.2")]);
  dataplane = await startTestDataplane(both, { engine: "batch", workers: WORKERS });
  streams = [];
});
afterEach(async () => {
  for (const stream of streams) stream.stop();
  await dataplane.stop();
  await Promise.all([staying.close(), leaving.close()]);
});
afterAll(() => {
  const lines = table.map(
    ([change, count, sent, lost]) => `${change.padEnd(48)} ${count} calls, ${sent} packets, ${lost} lost`,
  );
  process.stdout.write(`\n${lines.join("\n")}\n`);
});

describe("no packet is lost", () => {
  it("when a certificate is renewed: new handshakes see the new one, connections stay", async () => {
    const all = await calls(CLIENTS, staying);
    const next = makeCertificate("renewed");
    await dataplane.apply({ ...both, certificate: next });
    const { connect } = await import("node:tls");
    const subject = await new Promise<unknown>((resolve) => {
      const socket = connect({ host: "127.0.0.1", port: dataplane.ports.tls, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().subject.CN);
        socket.destroy();
      });
    });
    expect(subject).toBe("renewed");
    await noneLost("certificate renewed", all);
  });

  it("when a certificate is renewed with what is none: the old one serves on, and the log says so", async () => {
    const all = await calls(20, staying);
    const broken = { ...dataplane.certificate, key64: makeCertificate().key64 };
    await dataplane.apply({ ...both, certificate: broken });
    await eventually(() =>
      expect(dataplane.facts).toContainEqual(
        expect.objectContaining({
          type: "effect.failed",
          data: expect.objectContaining({ effect: "update", target: "media/gateway/tls" }),
        }),
      ),
    );
    all.push(...(await calls(20, staying)));
    await noneLost("invalid certificate", all);
  });

  it("when credentials are rotated, and when the realm changes", async () => {
    const all = await calls(CLIENTS, staying);
    const rotated = {
      type: "static",
      realm: "stunner.l7mp.io",
      credentials: { username: "next", password: "next" },
    } as const;
    await dataplane.apply({ ...both, auth: rotated });
    await flow(all);
    await Promise.all(all.slice(0, 20).map(({ client }) => client.refresh()));
    await dataplane.apply({ ...both, auth: { ...rotated, realm: "another.example" } });
    await flow(all);
    await Promise.all(all.slice(0, 20).map(({ client }) => client.refresh()));
    await noneLost("credentials rotated, realm changed", all);
    // New ones need the new password.
    const late = await TurnClient.connect({ host: "127.0.0.1", port: dataplane.ports.udp, ...credentials });
    await expect(late.allocate()).rejects.toMatchObject({ code: 401 });
    late.close();
  });

  it("when a quota is set that a user is over already: only new allocations are refused", async () => {
    const all = await calls(CLIENTS, staying);
    await dataplane.apply({ ...both, admin: { user_quota: 10, loglevel: "all:DEBUG" } });
    const late = await TurnClient.connect({ host: "127.0.0.1", port: dataplane.ports.udp, ...credentials });
    await expect(late.allocate()).rejects.toMatchObject({ code: 486 });
    late.close();
    await Promise.all(all.slice(0, 20).map(({ client }) => client.refresh()));
    await noneLost("quota below what is in use", all);
  });

  it("when routes and endpoints change a hundred times", async () => {
    const all = await calls(CLIENTS, staying);
    for (let change = 0; change < 100; change += 1) {
      const others = Array.from({ length: 1 + (change % 7) }, (_, n) => `10.${change}.0.${n}`);
      await dataplane.apply(
        change % 2 === 0
          ? { endpoints: ["127.0.0.1", ...others] }
          : {
              clusters: [
                { name: "media/peers", type: "STATIC", protocol: "UDP", endpoints: ["127.0.0.1"] },
                { name: `media/other-${change}`, type: "STATIC", protocol: "UDP", endpoints: others },
              ],
            },
      );
    }
    await noneLost("100 changes of routes and endpoints", all);
  });

  it("when an endpoint is removed: its calls are cut when the change is published, and no others", async () => {
    const others = await calls(CLIENTS - 40, staying);
    const gone = await calls(40, leaving);
    const at = performance.now();
    await dataplane.apply({ endpoints: ["127.0.0.1"] });
    const sent = gone.map((one) => one.sent);
    await eventually(() => expect(gone.every((one, index) => one.sent > sent[index]! + 10)).toBe(true));
    const last = Math.max(...gone.map(({ lastAt }) => lastAt)) - at;
    table.push([`endpoint removed: last packet after ${last.toFixed(0)} ms`, gone.length, 0, 0]);
    // Nothing that was sent after the change was published has returned.
    for (const [index, one] of gone.entries()) expect(Math.max(...one.received)).toBeLessThan(sent[index]!);
    await noneLost("endpoint removed, the other calls", others);
  });

  it("when a worker crashes, but by its own clients", async () => {
    const all = await calls(CLIENTS, staying);
    const pool = dataplane.dataplane.relay;
    if (!(pool instanceof WorkerPool)) throw new Error("there are no workers");
    await pool.refresh();
    const struckPorts = new Set(
      pool
        .state()
        .allocations.filter(({ id }) => (id - 1) % WORKERS === 0)
        .map(({ client }) => Number(client.split(":").at(-1))),
    );
    const others = all.filter(({ client }) => !struckPorts.has(client.local.port));
    expect(others.length).toBeLessThan(all.length);
    pool.failWorker(0, "for a test");
    await eventually(() => expect(dataplane.facts.map(({ type }) => type)).toContain("worker.restored"));
    await noneLost(`worker crashed and replaced, ${all.length - others.length} calls of its own`, others);
  });

  it("while it drains, and until its last call has ended", async () => {
    const all = await calls(CLIENTS, staying);
    const drained = dataplane.dataplane.drain("SIGTERM");
    await noneLost("draining", all);
    await Promise.all(all.map(({ client }) => client.refresh(0)));
    await drained;
  });
});
