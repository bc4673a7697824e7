/**
 * `npm run bench:flood`: round trips of calls while a bounded flood of Allocates without credentials arrives. The gateway has
 * one core, clients and flood another. Prints the round trips without and with the flood, how many packets came back, how many
 * Allocates the relay dropped, and how many bytes of answers an address gets in whose name requests are sent.
 *
 *     npm run bench:flood -- [--per-second 15000] [--seconds 6]
 */
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { attribute } from "../../src/stun/attributes.ts";
import { encode } from "../../src/turn-client/codec.ts";
import { method } from "../../src/stun/message.ts";
import { runLoad, type LoadResult } from "../../src/load/load.ts";
import { startGatewayProcess } from "../support/gateway-process.ts";

const { values } = parseArgs({
  options: {
    "per-second": { type: "string", default: "15000" },
    seconds: { type: "string", default: "6" },
  },
});
const perSecond = Number(values["per-second"]);
const seconds = Number(values.seconds);

const allocate = encode({
  method: method.allocate,
  class: "request",
  transactionId: randomBytes(12),
  attributes: [{ type: attribute.requestedTransport, value: 17 * 0x1000000 }],
});

const [SERVER_CORE, LOAD_CORE] = ["0", "1"];
const pin = (core: string, pid: number): void => {
  const { status, stderr } = spawnSync("taskset", ["-acp", core, String(pid)], { encoding: "utf8" });
  if (status !== 0) throw new Error(`taskset: ${stderr}`);
};

const gateway = await startGatewayProcess();
pin(SERVER_CORE, gateway.pid);
pin(LOAD_CORE, process.pid);

/** In a process of its own, so that sending does not delay the packets that are measured. */
const flooder = `
  const socket = require("node:dgram").createSocket("udp4");
  const bytes = Buffer.from("${allocate.toString("hex")}", "hex");
  socket.bind(0, "127.0.0.1", () => process.stdout.write("ready"));
  process.stdin.once("data", () => {
    const began = performance.now();
    let sent = 0;
    setInterval(() => {
      const due = ((performance.now() - began) / 1000) * ${perSecond};
      for (; sent < due; sent++) socket.send(bytes, ${gateway.port}, "127.0.0.1");
    }, 1);
  });`;

const round = (hooks: { readonly begun?: () => void } = {}): Promise<LoadResult> =>
  runLoad(
    {
      server: { address: "127.0.0.1", port: gateway.port },
      username: "user-1",
      password: "pass-1",
      clients: 5,
      peers: 1,
      address: "127.0.0.1",
      payloadBytes: 160,
      via: "channel",
      transport: "udp",
      window: 1,
      burst: 1,
      gso: false,
      rate: 50,
      warmUpSeconds: 0.5,
      seconds,
    },
    hooks,
  );

const listener = async () => {
  const { relay } = await gateway.state();
  const udp = relay.listeners.find(({ protocol }) => protocol === "TURN-UDP");
  return {
    packetsIn: udp?.packetsIn ?? 0,
    kernelDrops: udp?.kernelDrops ?? 0,
    backlogged: relay.dropped["control-backlog"] ?? 0,
  };
};

const milliseconds = (microseconds: number): string => `${(microseconds / 1000).toFixed(2)} ms`;
const print = (what: string, { p50, p99, sent, received }: LoadResult): void =>
  console.log(
    `${what.padEnd(44)} p50 ${milliseconds(p50)}, p99 ${milliseconds(p99)}; ${received} of ${sent} packets came back`,
  );

try {
  print("5 calls of 50 packets/s", await round());

  const flood = spawn(process.execPath, ["-e", flooder], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    await once(flood.stdout, "data");
    const before = await listener();
    let began = 0;
    const flooded = await round({
      begun: () => {
        began = performance.now();
        flood.stdin.write("go");
      },
    });
    flood.kill();
    const elapsedSeconds = (performance.now() - began) / 1000;
    const after = await listener();
    print(
      `with ${Math.round((after.packetsIn - before.packetsIn - flooded.sent) / elapsedSeconds)} Allocates/s`,
      flooded,
    );
    console.log(
      `Allocates dropped: ${after.backlogged - before.backlogged} by the relay (control-backlog), ` +
        `${after.kernelDrops - before.kernelDrops} datagrams by the kernel`,
    );
  } finally {
    flood.kill();
  }
} finally {
  await gateway.stop();
  gateway.clean();
}
console.log("answers to one address, 500 requests a second in its name for 5 s");
spawnSync(process.execPath, [fileURLToPath(new URL("amplification.ts", import.meta.url))], { stdio: "inherit" });
