/**
 * Packets per CPU-second of the dgram engine: clients send ChannelData over UDP, a peer echoes it. The relay is this
 * process; clients and peer are another one, so that only the relay's CPU time counts.
 *
 *     node test/bench/engine.ts [CLIENTS] [SECONDS] [BYTES]
 */
import { fork } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { argv, cpuUsage } from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import pino from "pino";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { createRelay } from "../../src/dataplane/create-relay.ts";
import { placeOn } from "../../src/dataplane/placement.ts";

const [, script = "", role = "20", ...rest] = argv;
const port = 23_478;

const load = async (clients: number, seconds: number, bytes: number): Promise<void> => {
  const peer = createSocket("udp4");
  peer.on("message", (data, from) => peer.send(data, from.port, from.address));
  peer.bind(0, "127.0.0.1");
  await once(peer, "listening");
  const at = { address: "127.0.0.1", port: peer.address().port };
  const all = await Promise.all(
    Array.from({ length: clients }, () =>
      TurnClient.connect({ host: "127.0.0.1", port, username: "u", password: "p" }),
    ),
  );
  for (const client of all) {
    await client.allocate();
    await client.channelBind(0x4000, at);
  }
  process.send?.("ready");
  const data = Buffer.alloc(bytes);
  const pump = async (client: TurnClient): Promise<void> => {
    // Eight packets are on their way for each client; the relay, not a timer, sets the pace.
    for (let count = 0; count < 8; count++) client.sendChannel(0x4000, data);
    while (!client.isClosed) {
      await client.receive(200).catch(() => undefined);
      client.sendChannel(0x4000, data);
    }
  };
  const pumps = all.map(pump);
  await delay(seconds * 1000);
  for (const client of all) client.close();
  await Promise.allSettled(pumps);
  peer.close();
  process.disconnect();
};

const measure = async (clients: string, seconds = "4", bytes = "160"): Promise<void> => {
  const relay = createRelay({
    place: placeOn(["127.0.0.1"]),
    own: [],
    log: pino({ level: "warn" }),
  });
  await relay.apply({
    version: "v1",
    admin: { name: "bench" },
    auth: { type: "static", realm: "bench", credentials: { username: "u", password: "p" } },
    listeners: [{ name: "bench/udp", protocol: "TURN-UDP", address: "", port, routes: ["all"] }],
    clusters: [{ name: "all", type: "STATIC", protocol: "UDP", endpoints: ["127.0.0.1"] }],
  });
  const child = fork(script, ["load", clients, seconds, bytes]);
  await once(child, "message");
  const packets = (): number => {
    const [state] = relay.state().listeners;
    return (state?.packetsIn ?? 0) + (state?.packetsOut ?? 0);
  };
  await delay(500);
  const before = { packets: packets(), cpu: cpuUsage(), time: performance.now() };
  await delay((Number(seconds) - 1) * 1000);
  const cpu = cpuUsage(before.cpu);
  const relayed = packets() - before.packets;
  const cpuSeconds = (cpu.user + cpu.system) / 1e6;
  const wall = (performance.now() - before.time) / 1000;
  console.log(
    JSON.stringify({
      clients: Number(clients),
      bytes: Number(bytes),
      packetsPerSecond: Math.round(relayed / wall),
      packetsPerCpuSecond: Math.round(relayed / cpuSeconds),
      systemShare: Number((cpu.system / (cpu.user + cpu.system)).toFixed(2)),
    }),
  );
  await once(child, "exit");
  await relay.close();
};

if (role === "load") await load(Number(rest[0]), Number(rest[1]), Number(rest[2]));
else await measure(role, ...rest);
