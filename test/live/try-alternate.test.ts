/** A rolling update: two dataplanes as pods run them, on two nodes; a client that comes while one drains gets its call at the other. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startDiscovery } from "../../src/discovery/server.ts";
import type { DataplaneConfig } from "../../src/resources/dataplane-config.ts";
import { NODE_ADDRESS_PLACEHOLDER } from "../../src/resources/names.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import type { JournalLine } from "../../src/journal/fact.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { STUNNERD } from "../support/dataplane-process.ts";
import { eventually } from "../support/eventually.ts";
import { startEchoBackend } from "../support/live.ts";
import { enterOwnNetwork, HOST_ADDRESS, startInPod, type PodProcess } from "../support/network.ts";
import { startStream } from "../support/stream.ts";

const isRoot = process.getuid?.() === 0;
const ID = "media/gateway";
const [PORT, HEALTH_PORT, METRICS_PORT] = [3478, 8086, 8080];
const nodes: Readonly<Record<string, string>> = { n1: "10.244.0.11", n2: "10.244.0.12" };
const user = { username: "user-1", password: "pass-1" };

const config: DataplaneConfig = {
  version: "v1",
  admin: {
    name: ID,
    healthcheck_endpoint: `http://$STUNNER_ADDR:${HEALTH_PORT}`,
    metrics_endpoint: `http://$STUNNER_ADDR:${METRICS_PORT}/metrics`,
  },
  auth: { type: "static", realm: "stunner.l7mp.io", credentials: user },
  listeners: (["TURN-UDP", "TURN-TCP"] as const).map((protocol) => ({
    name: `${ID}/${protocol}`,
    protocol,
    address: NODE_ADDRESS_PLACEHOLDER,
    port: PORT,
    routes: ["media/echo"],
  })),
  clusters: [{ name: "media/echo", type: "STATIC", protocol: "UDP", endpoints: [HOST_ADDRESS] }],
};
const alternates = Object.entries(nodes).map(([node, address]) => ({ node, addresses: [address] }));

beforeAll(() => {
  if (isRoot) enterOwnNetwork();
});

interface Dataplane extends PodProcess {
  lines(): readonly JournalLine[];
}

const startOn = async (node: string, discoveryPort: number): Promise<Dataplane> => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-node-"));
  const dataplane = await startInPod(
    nodes[node]!,
    [STUNNERD, "-w", "--log-format=text"],
    {
      STUNNER_ADDR: nodes[node]!,
      STUNNER_NODENAME: node,
      STUNNER_NAMESPACE: "media",
      STUNNER_NAME: "gateway",
      STUNNER_CONFIG_ORIGIN: `http://${HOST_ADDRESS}:${discoveryPort}`,
    },
    folder,
  );
  onTestFinished(async () => {
    dataplane.child.kill("SIGKILL");
    await dataplane.ended;
    rmSync(folder, { recursive: true, force: true });
  });
  return { ...dataplane, lines: () => [...readJournal(join(folder, ".turnpike/dataplane"))] };
};
const serves = (node: string): Promise<void> =>
  eventually(async () => expect((await fetch(`http://${nodes[node]}:${HEALTH_PORT}/ready`)).status).toBe(200));

describe.runIf(isRoot)("while a dataplane drains", () => {
  it("new clients get their call at the one that does not, until there is none; open calls go on", async () => {
    const echo = await startEchoBackend(HOST_ADDRESS);
    onTestFinished(() => echo.close());
    const discovery = await startDiscovery({
      host: HOST_ADDRESS,
      port: 0,
      addressesOfNode: (node) => [nodes[node] ?? []].flat(),
      isReady: () => true,
    });
    onTestFinished(() => discovery.close());
    discovery.set(ID, { ...config, alternates });
    const [first] = [await startOn("n1", discovery.port), await startOn("n2", discovery.port)];
    await Promise.all([serves("n1"), serves("n2")]);

    const server = { host: nodes["n1"]!, port: PORT, ...user };
    const before = await startStream(server, echo);
    onTestFinished(() => before.stop());
    await before.flows(5);
    first.child.kill("SIGTERM");
    await eventually(() => expect(first.lines().map(({ type }) => type)).toContain("operator.stopping"));
    for (const transport of ["udp", "tcp"] as const) {
      const client = await TurnClient.connect({ ...server, transport });
      onTestFinished(() => client.close());
      expect((await client.allocate()).relayed).toMatchObject([{ address: nodes["n2"] }]);
      await client.channelBind(0x4000, echo);
      client.sendChannel(0x4000, Buffer.from("here"));
      expect((await client.receive()).data.toString()).toBe("here");
    }
    const sent = first.lines().filter(({ type }) => type === "client.redirected");
    expect(sent.map(({ data }) => data)).toMatchObject([
      { gateway: ID, listener: `${ID}/TURN-UDP`, user: "user-1", server: `${nodes["n2"]}:${PORT}` },
      { gateway: ID, listener: `${ID}/TURN-TCP`, user: "user-1", server: `${nodes["n2"]}:${PORT}` },
    ]);
    const metrics = await (await fetch(`http://${nodes["n1"]}:${METRICS_PORT}/metrics`)).text();
    expect(metrics).toMatch(/300 try-alternate"\} 2\n/);

    // The other one drains too: the operator takes it out, and the first serves rather than send anybody there.
    discovery.set(ID, config);
    await eventually(() => {
      const published = first.lines().findLast(({ type }) => type === "object.seen");
      expect(published?.data).toMatchObject({ kind: "DataplaneConfig" });
      expect(JSON.stringify(published?.data)).not.toContain("alternates");
    });
    await eventually(async () => {
      const late = await TurnClient.connect(server);
      try {
        expect((await late.allocate()).relayed).toMatchObject([{ address: nodes["n1"] }]);
        await late.refresh(0);
      } finally {
        late.close();
      }
    });
    await before.flows(5);
    expect(await before.lost()).toEqual([]);
  });
});
