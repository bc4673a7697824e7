/** Endpoints come and go at random while clients bind and send: nothing that was sent after a revocation is forwarded. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";
import pino from "pino";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { createRelay } from "../../src/dataplane/create-relay.ts";
import type { RelayEvent } from "../../src/dataplane/relay.ts";
import { eventually } from "../support/eventually.ts";
import { randomFrom } from "../support/malformed.ts";
import { enterOwnNetwork } from "../support/network.ts";
import { nowNs, PAYLOAD_BYTES, startFlooder } from "./flooder.ts";

const PORT = 3478;
const CLIENTS = 20;
const PEERS = 10;
/** Set TURNPIKE_CHURN_SECONDS and TURNPIKE_CHURN_PACKETS for more. */
const SECONDS = Number(process.env["TURNPIKE_CHURN_SECONDS"] ?? 5);
const PACKETS_PER_SECOND = Number(process.env["TURNPIKE_CHURN_PACKETS"] ?? 10_000);
const SEED = 20_261_130;

beforeAll(enterOwnNetwork);

/** A peer that notes what should not have come. */
const openPeer = async (address: string) => {
  const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20 });
  socket.bind(9000, address);
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  const peer = {
    address,
    /** Since when it is not admitted, by the clock that packets are stamped with; undefined while it is. */
    closedAt: undefined as bigint | undefined,
    received: 0,
    late: 0,
  };
  socket.on("message", (payload) => {
    peer.received += 1;
    if (peer.closedAt !== undefined && payload.readBigUInt64BE() > peer.closedAt) peer.late += 1;
  });
  return peer;
};

it.each([0, 2])(
  "with %i threads",
  async (workers) => {
    const random = randomFrom(SEED);
    const relay = createRelay({
      place: { by: "addresses", bind: ["127.0.0.1"] },
      own: ["127.0.0.1"],
      engine: "batch",
      workers,
      log: pino({ level: "silent" }),
    });
    onTestFinished(() => relay.close());
    const ended: Extract<RelayEvent, { readonly event: "allocation.closed" }>[] = [];
    relay.events.subscribe((event) => {
      if (event.event === "allocation.closed") ended.push(event);
    });
    const peers = await Promise.all(Array.from({ length: PEERS }, (_, n) => openPeer(`127.0.1.${n + 1}`)));
    const open = new Set(peers);
    const apply = () =>
      relay.apply({
        version: "v1",
        admin: { name: "gw", offload_engine: "TC", offload_interfaces: ["lo"] },
        auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
        listeners: [{ name: "gw/udp", protocol: "TURN-UDP", address: "127.0.0.1", port: PORT, routes: ["c"] }],
        clusters: [{ name: "c", type: "STATIC", protocol: "UDP", endpoints: [...open].map(({ address }) => address) }],
      });
    await apply();
    const flooder = await startFlooder({
      relay: { host: "127.0.0.1", port: PORT, username: "u", password: "p" },
      clients: CLIENTS,
      peers: peers.map(({ address }) => ({ address, port: 9000 })),
      bindingsPerSecond: 1_000,
      packetsPerSecond: PACKETS_PER_SECOND,
    });
    onTestFinished(() => void flooder.child.kill());

    let revocations = 0;
    /** Of this process, in MB, at equal intervals. */
    const memory: number[] = [];
    const measured = setInterval(
      () => memory.push(Math.round(process.memoryUsage().rss / 1e6)),
      (SECONDS * 1_000) / 10,
    );
    onTestFinished(() => clearInterval(measured));
    for (const end = performance.now() + SECONDS * 1_000; performance.now() < end;) {
      const peer = peers[Math.floor(random() * peers.length)]!;
      if (open.delete(peer)) {
        await apply();
        peer.closedAt = nowNs();
        revocations += 1;
      } else {
        // What was forwarded until now is read first.
        for (let turns = 0; turns < 10; turns += 1) await turn();
        peer.closedAt = undefined;
        open.add(peer);
        await apply();
      }
      await pause(random() * 20);
    }
    const { sent, bindings, refused } = await flooder.stop();
    await eventually(() => expect(ended).toHaveLength(CLIENTS));

    const received = peers.reduce((sum, one) => sum + one.received, 0);
    const forwarded = ended.reduce((sum, { packetsIn }) => sum + packetsIn, 0);
    console.log(
      `${workers} threads: ${revocations} revocations, ${bindings} bindings (${refused} refused), ${sent} packets sent, ${forwarded} forwarded, ${received} received; ${memory.join(", ")} MB`,
    );
    expect(peers.reduce((sum, { late }) => sum + late, 0)).toBe(0);
    expect(revocations).toBeGreaterThan(SECONDS * 5);
    expect(refused).toBeGreaterThan(0);
    expect(received).toBeGreaterThan(sent / 10);
    // What is counted is what came.
    expect(forwarded).toBe(received);
    expect(ended.reduce((sum, { bytesIn }) => sum + bytesIn, 0)).toBe(received * PAYLOAD_BYTES);
    await relay.refresh();
    expect(relay.state()).toMatchObject({ allocations: [], offload: { engine: "TC" } });
  },
  (SECONDS + 120) * 1_000,
);
