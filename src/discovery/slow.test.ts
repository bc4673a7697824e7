import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import {
  configOf,
  largeConfig,
  start,
  watchPath,
  type Running,
  type TestWatcher,
} from "../../test/support/discovery.ts";
import { eventually } from "../../test/support/eventually.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const MEGABYTE = 1024 * 1024;
const STATES = 40;
const STATE_BYTES = 2 * MEGABYTE;

let server: Running;
let stuck: Socket;
let healthy: TestWatcher;

/** A watcher that shakes hands and then reads nothing. */
const openStuck = async (): Promise<Socket> => {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(
    [
      "GET /api/v1/configs?watch=true HTTP/1.1",
      "Host: localhost",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version: 13",
      "\r\n",
    ].join("\r\n"),
  );
  await once(socket, "data");
  return socket.pause();
};
const open = async (stallMs: number): Promise<void> => {
  server = await start({ limits: { stallMs } });
  stuck = await openStuck();
  healthy = await watchPath(server);
};
/** Publishes one large state after the other, each as soon as the healthy watcher has the one before. */
const publish = async (): Promise<void> => {
  for (let state = 1; state <= STATES; state += 1) {
    server.set("ns/large", largeConfig("ns/large", `state-${state}`, STATE_BYTES));
    await eventually(() => expect(healthy.told.at(-1)).toBe(`ns/large=state-${state}`));
    healthy.frames.length = 0;
  }
};
const slowOnes = (): number =>
  server.reports.filter((one) => one.event === "closed" && one.reason === "slow-consumer").length;

beforeEach(() => open(60_000));
afterEach(async () => {
  stuck.destroy();
  await server.close();
});

describe("a watcher that does not read", () => {
  it("delays nobody, is not sent what is out of date, and ends with the newest state", async () => {
    const before = server.stats().framesSent;
    await publish();
    expect(healthy.told.length).toBe(STATES);
    const sentToStuck = server.stats().framesSent - before - STATES;
    // What the kernel took, and the one frame after that.
    expect(sentToStuck).toBeLessThan(STATES / 2);

    server.set("ns/small", configOf("ns/small"));
    server.set("ns/gone", configOf("ns/gone"));
    await eventually(() => expect(healthy.told.at(-1)).toBe("ns/gone=one"));
    server.set("ns/gone", undefined);
    let tail = "";
    stuck.on("data", (chunk) => (tail = (tail + chunk.toString("latin1")).slice(-100_000)));
    stuck.resume();
    await eventually(() => expect(tail).toContain(`"name":"ns/small"`));
    expect(tail).not.toContain("ns/gone");
    // It got what was under way, then the newest of each.
    expect(server.stats().framesSent - before - STATES - sentToStuck).toBeLessThanOrEqual(2 + 3);
  });

  it("holds no more memory than what is under way", async () => {
    await publish();
    healthy.frames.length = 0;
    await eventually(() => {
      collectGarbage();
      // The active state, the one being sent, and what the healthy watcher has just received. All would be eighty.
      expect(process.memoryUsage().arrayBuffers).toBeLessThan(20 * MEGABYTE);
    });
    expect(healthy.socket.readyState).toBe(WebSocket.OPEN);
  });

  it("is dropped after a while, for a reason that has a name", async () => {
    stuck.destroy();
    await server.close();
    await open(500);
    await publish();
    await eventually(() => expect(slowOnes()).toBe(1));
    expect(server.stats().watchers).toBe(1);
    server.set("ns/after", configOf("ns/after"));
    await eventually(() => expect(healthy.told.at(-1)).toBe("ns/after=one"));
  });

  it("piles up no pongs", async () => {
    stuck.destroy();
    await server.close();
    await open(500);
    // Masked empty pings.
    const pings = Buffer.concat(Array.from({ length: 10_000 }, () => Buffer.from([0x89, 0x80, 0, 0, 0, 0])));
    const flood = setInterval(() => {
      if (stuck.writable && stuck.writableLength < MEGABYTE) stuck.write(pings);
    }, 1);
    await eventually(() => expect(slowOnes()).toBe(1)).finally(() => clearInterval(flood));
    expect(await healthy.news()).toEqual([]);
  });
});
