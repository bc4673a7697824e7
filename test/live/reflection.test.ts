/** Requests in the name of an address that has proven nothing, over UDP: it is sent little more than they are long. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { pino } from "pino";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createRelay } from "../../src/dataplane/create-relay.ts";
import { attribute } from "../../src/stun/attributes.ts";
import { method } from "../../src/stun/message.ts";
import { encode } from "../../src/turn-client/codec.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { enterOwnNetwork } from "../support/network.ts";

const isRoot = process.getuid?.() === 0;
const [SERVER, CLIENT] = ["10.99.0.1", "10.99.0.2"];
const PORT = 3478;
const FLOOD = 400;

const allocate = (): Buffer =>
  encode({
    method: method.allocate,
    class: "request",
    transactionId: randomBytes(12),
    attributes: [{ type: attribute.requestedTransport, value: 17 * 0x1000000 }],
  });

describe.runIf(isRoot)("requests in the name of one address", () => {
  beforeAll(() => {
    enterOwnNetwork();
    for (const address of [SERVER, CLIENT])
      expect(spawnSync("ip", ["address", "add", `${address}/24`, "dev", "lo"]).status).toBe(0);
  });

  const start = async (unprovenAnswersPerSecond?: number) => {
    const relay = createRelay({
      place: { by: "config" },
      own: [],
      log: pino({ level: "silent" }),
      ...(unprovenAnswersPerSecond === undefined ? {} : { limits: { unprovenAnswersPerSecond } }),
    });
    onTestFinished(() => relay.close());
    await relay.apply({
      version: "v1",
      admin: { name: "gw" },
      auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
      listeners: [{ name: "gw/udp", protocol: "TURN-UDP", address: SERVER, port: PORT, routes: ["c"] }],
      clusters: [{ name: "c", type: "STATIC", protocol: "UDP", endpoints: [CLIENT] }],
    });
    const socket = createSocket("udp4");
    onTestFinished(() => void socket.close());
    socket.bind(0, CLIENT);
    await once(socket, "listening");
    return { relay, socket };
  };

  /** How many of the requests are answered, and how long they take to be dealt with, in seconds. */
  const flood = async (relay: ReturnType<typeof createRelay>, socket: Socket) => {
    const began = performance.now();
    const listener = () => relay.state().listeners[0]!;
    const before = { ...listener() };
    let answered = 0;
    socket.on("message", () => answered++);
    for (let count = 0; count < FLOOD; count++) {
      const goal = before.packetsIn + count + 1;
      socket.send(allocate(), PORT, SERVER);
      // One by one: none is lost for want of room.
      if (count % 50 === 49) await expect.poll(() => listener().packetsIn).toBe(goal);
    }
    await expect.poll(() => relay.state().waiting).toBe(0);
    await expect.poll(() => answered).toBe(listener().packetsOut - before.packetsOut);
    return { answered, seconds: (performance.now() - began) / 1000 };
  };

  it("are answered a few times a second, the others dropped with their reason", async () => {
    const { relay, socket } = await start();
    const { answered, seconds } = await flood(relay, socket);
    expect(answered).toBeGreaterThanOrEqual(32);
    expect(answered).toBeLessThanOrEqual(Math.ceil(32 + 4 * seconds));
    expect(relay.state().dropped["unproven"]).toBe(FLOOD - answered);
  });

  it("do not keep a client behind that address from its allocation, and are all answered once it has one", async () => {
    const { relay, socket } = await start();
    await flood(relay, socket);
    const client = await TurnClient.connect({
      host: SERVER,
      port: PORT,
      username: "u",
      password: "p",
      transport: (receiver) => {
        socket.on("message", (bytes) => receiver.message(bytes));
        return {
          isReliable: false,
          local: socket.address(),
          send: (bytes) => socket.send(bytes, PORT, SERVER),
          close: () => undefined,
        };
      },
    });
    onTestFinished(() => client.close());
    // It tries again until it is answered.
    expect((await client.allocate()).mapped?.address).toBe(CLIENT);
    expect((await flood(relay, socket)).answered).toBe(FLOOD);
  });

  it("are all answered where there is no limit", async () => {
    const { relay, socket } = await start(0);
    expect((await flood(relay, socket)).answered).toBe(FLOOD);
  });
});
