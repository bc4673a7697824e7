import { afterEach, describe, expect, it } from "vitest";
import { Datagrams } from "../../src/dataplane/engines/batch/datagrams.ts";
import { noDrops } from "../../src/dataplane/flows.ts";
import type { Counters } from "../../src/load/client.ts";
import { Latencies } from "../../src/load/latencies.ts";
import { runLoad } from "../../src/load/load.ts";
import type { LoadOptions } from "../../src/load/options.ts";
import { startPeers } from "../../src/load/peers.ts";
import { startUdpClient } from "../../src/load/udp-client.ts";
import { credentials, startTestDataplane, type TestDataplane } from "../support/dataplane.ts";

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
    rate: 1,
    warmUpSeconds: 0,
    seconds: 1,
  });

  it.each(["channel", "indication"] as const)("refreshes by %s while its packets come back", async (via) => {
    dataplane = await startTestDataplane({});
    const datagrams = new Datagrams({ drops: noDrops() });
    try {
      const options = optionsFor(dataplane.ports.udp, via);
      const [peer] = startPeers(datagrams, 1, "127.0.0.1");
      const counters: Counters = { sent: 0, received: 0, latencies: new Latencies() };
      const client = await startUdpClient(datagrams, options, peer!, counters);
      for (let sent = 0; sent < 5; sent++) client.send();
      await client.refresh!();
      for (let sent = 0; sent < 5; sent++) client.send();
      await expect.poll(() => counters.received).toBe(10);
      client.close();
    } finally {
      datagrams.close();
    }
  });

  it("does not begin what it cannot keep up", async () => {
    await expect(runLoad({ ...optionsFor(9, "channel"), transport: "tcp", seconds: 300 })).rejects.toThrow(
      "over TCP a load lasts 200 seconds at most",
    );
  });
});
