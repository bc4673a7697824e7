/** The dataplane as a pod runs it: configs from a discovery server, calls that outlive it, an end that waits for them. */
import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { startDiscovery, type DiscoveryServer } from "../../src/discovery/server.ts";
import type { DataplaneConfig } from "../../src/resources/dataplane-config.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { startStunnerd, type DataplaneProcess } from "../support/dataplane-process.ts";
import { freePort } from "../support/free-port.ts";
import { startEchoBackend, type EchoBackend } from "../support/live.ts";
import { startStream, type Stream } from "../support/stream.ts";
import { eventually } from "../support/eventually.ts";

const ID = "media/gateway";
const PASSWORD = "a-password-to-look-for";
/** A process that starts sixteen threads on a busy machine takes its time. */

let discovery: DiscoveryServer | undefined;
let dataplane: DataplaneProcess | undefined;
let echo: EchoBackend;
let port: number;
let healthPort: number;
let metricsPort: number;

const startServer = (at = 0): Promise<DiscoveryServer> =>
  startDiscovery({ host: "127.0.0.1", port: at, addressesOfNode: () => [], isReady: () => true });

beforeEach(async () => {
  echo = await startEchoBackend();
  port = await freePort("127.0.0.1");
  [healthPort, metricsPort] = [await freePort("127.0.0.1"), await freePort("127.0.0.1")];
  discovery = await startServer();
  onTestFinished(async () => {
    await dataplane?.clean();
    dataplane = undefined;
    await discovery?.close();
    await echo.close();
  });
});

const config = (endpoints: readonly string[] = ["127.0.0.1"], password = PASSWORD): DataplaneConfig => ({
  version: "v1",
  admin: {
    name: ID,
    healthcheck_endpoint: `http://127.0.0.1:${healthPort}`,
    metrics_endpoint: `http://127.0.0.1:${metricsPort}/metrics`,
  },
  auth: { type: "static", realm: "stunner.l7mp.io", credentials: { username: "user-1", password } },
  listeners: [
    { name: `${ID}/udp`, protocol: "TURN-UDP", address: "$STUNNER_ADDR", port, routes: ["media/echo"] },
    { name: `${ID}/tcp`, protocol: "TURN-TCP", address: "$STUNNER_ADDR", port, routes: ["media/echo"] },
  ],
  clusters: [{ name: "media/echo", type: "STATIC", protocol: "UDP", endpoints }],
});

const start = (more: Readonly<Record<string, string>> = {}, folder?: string): DataplaneProcess => {
  dataplane = startStunnerd(
    ["-w", "--udp-thread-num=16", "--log-format=text"],
    {
      STUNNER_ADDR: "127.0.0.1",
      STUNNER_NAMESPACE: "media",
      STUNNER_NAME: "gateway",
      STUNNER_CONFIG_ORIGIN: `http://127.0.0.1:${discovery!.port}`,
      ...more,
    },
    folder,
  );
  return dataplane;
};
const health = async (path: string): Promise<{ readonly status: number; readonly text: string }> => {
  const response = await fetch(`http://127.0.0.1:${healthPort}${path}`);
  return { status: response.status, text: await response.text() };
};
const isReady = () => eventually(async () => expect((await health("/ready")).status).toBe(200));

const call = async (transport: "udp" | "tcp" = "udp"): Promise<Stream> => {
  const options = { host: "127.0.0.1", port, transport, username: "user-1", password: PASSWORD };
  const stream = await startStream(options, echo);
  onTestFinished(() => stream.stop());
  await stream.flows(5);
  return stream;
};
const types = (): readonly string[] => dataplane!.lines().map(({ type }) => type);

describe("a dataplane", () => {
  it("serves the config of the discovery server, and follows its changes while calls go on", async () => {
    start();
    discovery!.set(ID, config());
    await isReady();
    const calls = await Promise.all([call(), call("tcp")]);

    discovery!.set(ID, config(["127.0.0.1", "127.0.0.2"], "another"));
    await eventually(() => expect(types().filter((type) => type === "gateway.published").length).toBeGreaterThan(1));
    await Promise.all(calls.map((one) => one.flows(5)));
    expect(await Promise.all(calls.map((one) => one.lost()))).toEqual([[], []]);
  });

  it("cuts a call when its endpoint is gone, and says so", async () => {
    start();
    discovery!.set(ID, config());
    await isReady();
    const stream = await call();
    discovery!.set(ID, config(["127.0.0.2"]));
    await eventually(() => expect(types()).toContain("endpoint.revoked"));
    const revoked = dataplane!.lines().find(({ type }) => type === "endpoint.revoked");
    expect(revoked?.data).toMatchObject({
      cluster: "media/echo",
      endpoint: "127.0.0.1",
      permissions: 1,
      channels: 1,
      because: { entity: "media/echo#127.0.0.1", from: "active", to: "gone" },
    });
    const { sent } = stream;
    await eventually(() => expect(stream.sent).toBeGreaterThan(sent + 10));
    expect([...stream.received].filter((number) => number > sent + 1)).toEqual([]);
  });

  it("keeps its last config when its Gateway is gone, and when the server is", async () => {
    start();
    discovery!.set(ID, config());
    await isReady();
    const stream = await call();
    discovery!.set(ID, undefined);
    await eventually(() => expect(types()).toContain("config.withdrawn"));
    await discovery!.close();
    discovery = undefined;
    await eventually(() => expect(types()).toContain("watch.lost"));
    await stream.flows(5);
    await call("tcp");
    expect(await stream.lost()).toEqual([]);
    expect((await health("/ready")).status).toBe(200);
  });

  it("starts on the last good config where nobody answers, and goes on from there when somebody does", async () => {
    const folder = mkdtempSync(join(tmpdir(), "turnpike-dataplane-"));
    const first = start({}, folder);
    discovery!.set(ID, config());
    await isReady();
    first.child.kill("SIGKILL");
    await first.ended;
    const at = discovery!.port;
    await discovery!.close();
    expect(statSync(join(folder, ".turnpike/dataplane/last-config.json")).mode & 0o077).toBe(0);

    start({}, folder);
    await isReady();
    expect(types().at(-1)).not.toBe("watch.restored");
    await call();
    discovery = await startServer(at);
    discovery.set(ID, config(["127.0.0.3"]));
    await eventually(() => expect(types()).toContain("endpoint.revoked"));
  });

  it("drains on SIGTERM: it stays ready, goes on following its config, and ends with its last call", async () => {
    const running = start();
    discovery!.set(ID, config());
    await isReady();
    const stream = await call();
    running.child.kill("SIGTERM");
    await eventually(() => expect(types()).toContain("operator.stopping"));
    expect(JSON.parse((await health("/status")).text)).toMatchObject({ status: "TERMINATING", allocationCount: 1 });
    expect((await health("/ready")).status).toBe(200);
    expect((await health("/live")).status).toBe(200);
    await stream.flows(10);
    discovery!.set(ID, config(["127.0.0.1", "127.0.0.2"]));
    await eventually(() => expect(types().filter((type) => type === "gateway.published")).toHaveLength(2));
    expect(await stream.lost()).toEqual([]);
    expect(running.child.exitCode).toBeNull();
    await stream.client.refresh(0);
    expect(await running.ended).toBe(0);
  });

  it("drains until the lifetime of a client that disappeared is over", async () => {
    const running = start();
    discovery!.set(ID, config());
    await isReady();
    const client = await TurnClient.connect({ host: "127.0.0.1", port, username: "user-1", password: PASSWORD });
    await client.allocate({ lifetime: 2 });
    client.close();
    running.child.kill("SIGTERM");
    expect(await running.ended).toBe(0);
    expect(dataplane!.lines()).toContainEqual(
      expect.objectContaining({
        type: "allocation.closed",
        data: expect.objectContaining({ reason: "expired" }) as unknown,
      }),
    );
  });

  it("refuses a document that is not sound, whole, and says why", async () => {
    start();
    discovery!.set(ID, config());
    await isReady();
    const stream = await call();
    discovery!.set(ID, {
      ...config(),
      clusters: [{ name: "media/echo", type: "STATIC", protocol: "UDP", endpoints: ["10.0.0.1/99"] }],
    });
    await eventually(() => expect(types()).toContain("object.rejected"));
    await stream.flows(5);
    expect(await stream.lost()).toEqual([]);
    discovery!.set(ID, config(["127.0.0.1", "127.0.0.9"]));
    await eventually(() => expect(types()).toContain("object.corrected"));
  });

  it("shows its state and metrics, and no secret anywhere", async () => {
    const running = start();
    discovery!.set(ID, config());
    await isReady();
    const stream = await call();
    await stream.lost();
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(metrics).toContain("stunner_allocations_active 1");
    expect(metrics).toContain('turnpike_allocations{transport="udp",peers="udp"} 1');
    expect(metrics).toContain('turnpike_allocations_opened_total{transport="udp",peers="udp"} 1');
    expect(metrics).toMatch(/stunner_cluster_packets_total\{name="media\/echo",direction="tx"\} [1-9]/);
    expect(metrics).toMatch(/stunner_cluster_bytes_total\{name="media\/echo",direction="rx"\} [1-9]\d{2}/);
    expect(metrics).toContain(`turnpike_listener_kernel_drops_total{name="${ID}/udp"} 0`);
    expect(metrics).toContain(`stunner_listener_connections_total{name="${ID}/tcp"} 0`);
    const { text } = await health("/status");
    expect(JSON.parse(text)).toMatchObject({
      admin: { name: ID },
      auth: { type: "static", credentials: { username: "user-1" } },
      listeners: [{ name: `${ID}/tcp` }, { name: `${ID}/udp`, stats: { rx: { pkts: expect.any(Number) } } }],
      clusters: [{ name: "media/echo", stats: { rx: { pkts: expect.any(Number) }, tx: { pkts: stream.sent } } }],
      allocationCount: 1,
      status: "READY",
    });
    const log = running
      .lines()
      .map((line) => JSON.stringify(line))
      .join("\n");
    for (const told of [metrics, text, log, running.output]) expect(told).not.toContain(PASSWORD);
  });

  it("says at once what it cannot start with", async () => {
    for (const args of [["-c", "no-such-file.json"], ["turn://nobody@127.0.0.1"], ["-c", "k8s"], ["--id", "x", "-w"]]) {
      const failing = startStunnerd(args, {});
      expect(await failing.ended).not.toBe(0);
      expect(failing.output).toMatch(/^turnpike: .+/m);
      expect(failing.output).not.toContain("    at ");
    }
  });

  it("runs on a file, and on a URI alone", async () => {
    const folder = mkdtempSync(join(tmpdir(), "turnpike-dataplane-"));
    const file = join(folder, "stunnerd.conf");
    writeFileSync(file, JSON.stringify(config(["127.0.0.2"])));
    start({ STUNNER_CONFIG_ORIGIN: `file://${file}` }, folder);
    await isReady();
    writeFileSync(file, readFileSync(file, "utf8").replace("127.0.0.2", "127.0.0.1"));
    await eventually(() => expect(types().filter((type) => type === "gateway.published").length).toBeGreaterThan(1));
    await call();
    await dataplane!.clean();

    port = await freePort("127.0.0.1");
    dataplane = startStunnerd([`turn://user-1:${PASSWORD}@127.0.0.1:${port}`], {});
    // A listener is bound before its peers are admitted.
    await eventually(() => expect(types()).toContain("gateway.published"));
    const client = await TurnClient.connect({ host: "127.0.0.1", port, username: "user-1", password: PASSWORD });
    await client.allocate();
    // Loopback is for endpoints that name it.
    await expect(client.createPermission("127.0.0.1")).rejects.toMatchObject({ code: 403 });
    await client.createPermission("192.0.2.1");
    // Another client's relayed address is no service of this machine.
    const other = await TurnClient.connect({ host: "127.0.0.1", port, username: "user-1", password: PASSWORD });
    const [at] = (await other.allocate()).relayed;
    await other.createPermission("127.0.0.1");
    await client.channelBind(0x4000, at!);
    client.sendChannel(0x4000, Buffer.from("hello"));
    expect((await other.receive()).data.toString()).toBe("hello");
    client.close();
    other.close();
  });
});
