import { pino } from "pino";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { createRelay } from "../../src/dataplane/create-relay.ts";
import { Datagrams } from "../../src/dataplane/engines/batch/datagrams.ts";
import { noDrops } from "../../src/dataplane/flows.ts";
import type { Counters } from "../../src/load/client.ts";
import { Latencies } from "../../src/load/latencies.ts";
import { runLoad } from "../../src/load/load.ts";
import type { LoadOptions } from "../../src/load/options.ts";
import { startPeers } from "../../src/load/peers.ts";
import { bindUdp, freePort } from "../support/free-port.ts";
import { startUdpClient } from "../../src/load/udp-client.ts";
import { credentials, startTestDataplane, transports, type TestDataplane } from "../support/dataplane.ts";

/** Passes the datagrams of one client on to the server at `port` and back, but for the next `lose` of the client's. */
const startBetween = async (port: number) => {
  const [inner, outer] = [await bindUdp("127.0.0.1", 0), await bindUdp("127.0.0.1", 0)];
  const between = {
    port: outer.address().port,
    lose: 0,
    close: () => {
      inner.close();
      outer.close();
    },
  };
  let client = 0;
  outer.on("message", (bytes, from) => {
    client = from.port;
    if (between.lose > 0) between.lose--;
    else inner.send(bytes, port, "127.0.0.1");
  });
  inner.on("message", (bytes) => outer.send(bytes, client, "127.0.0.1"));
  return between;
};

describe("a client of a load", () => {
  let dataplane: TestDataplane | undefined;
  afterEach(async () => {
    await dataplane?.stop();
    dataplane = undefined;
  });

  const optionsFor = (port: number, via: LoadOptions["via"]): LoadOptions => ({
    server: { address: "127.0.0.1", port },
    ...credentials,
    clients: 1,
    peers: 1,
    address: "127.0.0.1",
    payloadBytes: 160,
    via,
    transport: "udp",
    window: 1,
    burst: 1,
    gso: false,
    rate: 1,
    warmUpSeconds: 0,
    seconds: 1,
  });

  it.each(["channel", "indication"] as const)("refreshes by %s while its packets come back", async (via) => {
    dataplane = await startTestDataplane({});
    const datagrams = new Datagrams({ drops: noDrops() });
    try {
      const options = optionsFor(dataplane.ports.udp, via);
      const ending = new AbortController().signal;
      const [peer] = startPeers(datagrams, 1, "127.0.0.1", false);
      const counters: Counters = { sent: 0, received: 0, latencies: new Latencies() };
      const client = await startUdpClient(datagrams, { ...options, ending }, peer!, counters);
      client.send(5);
      await client.refresh!();
      client.send(5);
      await expect.poll(() => counters.received).toBe(10);
      client.close();
    } finally {
      datagrams.close();
    }
  });

  it.each(transports)(
    "has back what it sends over %s, in bursts, and gives its allocations back",
    async (transport) => {
      dataplane = await startTestDataplane({});
      const options = optionsFor(dataplane.ports[transport], "channel");
      const { sent, received, p50, direct } = await runLoad({
        ...options,
        clients: 6,
        peers: 2,
        burst: 4,
        window: 8,
        rate: 0,
        transport,
        verification: { insecure: true },
      });
      expect(received).toBeGreaterThan(48);
      // Some are under way at either end of the measuring.
      expect(Math.abs(sent - received)).toBeLessThanOrEqual(48);
      expect(p50).toBeGreaterThan(0);
      expect(direct).toBeUndefined();
      await expect.poll(() => dataplane!.facts.filter(({ type }) => type === "allocation.closed").length).toBe(6);
    },
  );

  it("follows a server that drains to another one", async () => {
    dataplane = await startTestDataplane({});
    const { udp } = dataplane.ports;
    const own = ["127.0.0.1"];
    const relay = createRelay({
      place: { by: "addresses", bind: own, relay: own },
      own,
      log: pino({ level: "silent" }),
      alternateServers: [{ address: "127.0.0.1", port: udp }],
    });
    onTestFinished(() => relay.close());
    const port = await freePort("127.0.0.1");
    const listeners = [{ name: "ns/gw/udp", protocol: "TURN-UDP", address: "", port, routes: [] }] as const;
    const auth = { type: "static", realm: "r", credentials } as const;
    await relay.apply({ version: "v1", admin: { name: "ns/gw" }, auth, listeners, clusters: [] });
    relay.drain();
    const { received } = await runLoad({ ...optionsFor(port, "channel"), clients: 3 });
    expect(received).toBeGreaterThan(0);
    expect(dataplane.facts.filter(({ type }) => type === "allocation.opened").length).toBe(3);
    expect((await relay.summary()).refused["300 try-alternate"]).toBe(3);
  });

  it("sends at a rate, and says what a round trip takes without the server", async () => {
    dataplane = await startTestDataplane({});
    const [clients, rate, startedAt] = [4, 50, performance.now()];
    const { sent, direct } = await runLoad({ ...optionsFor(dataplane.ports.udp, "indication"), clients, rate });
    const seconds = (performance.now() - startedAt) / 1000;
    // Whatever is late by more than a tenth of a second is never sent.
    expect(sent).toBeGreaterThan(20);
    expect(sent).toBeLessThanOrEqual(clients * (rate * seconds + 1));
    expect(direct?.p50).toBeGreaterThan(0);
  });

  it("lets a client that has lost all its packets send again", async () => {
    dataplane = await startTestDataplane({});
    const between = await startBetween(dataplane.ports.udp);
    onTestFinished(() => between.close());
    const { received } = await runLoad(
      { ...optionsFor(between.port, "channel"), rate: 0 },
      {
        begun: () => {
          between.lose = 3;
        },
      },
    );
    expect(between.lose).toBe(0);
    expect(received).toBeGreaterThan(0);
  });

  it("waits for no answer once one client is refused", async () => {
    const server = await bindUdp("127.0.0.1", 0);
    onTestFinished(() => void server.close());
    const asking = new Set<number>();
    server.on("message", (request: Buffer, { port, address }) => {
      asking.add(port);
      // The last of three, with 400; the others get no answer.
      if (asking.size < 3) return;
      const refusal = Buffer.concat([Buffer.from([1, 0x13, 0, 8]), request.subarray(4, 20)]);
      server.send(Buffer.concat([refusal, Buffer.from([0, 9, 0, 4, 0, 0, 4, 0])]), port, address);
    });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    const options = { ...optionsFor(server.address().port, "channel"), clients: 3 };
    await expect(runLoad(options)).rejects.toMatchObject({ code: 400 });
    // They would send their requests again.
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not begin what it cannot keep up", async () => {
    await expect(runLoad({ ...optionsFor(9, "channel"), transport: "tcp", seconds: 300 })).rejects.toThrow(
      "over TCP a load lasts 200 seconds at most",
    );
  });
});
