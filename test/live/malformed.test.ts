/** What a hostile network sends: a million malformed datagrams, broken and slow streams, requests without credentials. */
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket as Stream } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { attribute } from "../../src/stun/attributes.ts";
import { encode } from "../../src/turn-client/codec.ts";
import { method } from "../../src/stun/message.ts";
import { digest } from "../../src/journal/digest.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { startGatewayProcess, type GatewayProcess } from "../support/gateway-process.ts";
import { startEchoBackend, type EchoBackend } from "../support/live.ts";
import { malformed, randomFrom } from "../support/malformed.ts";
import { startStream, type Stream as Call } from "../support/stream.ts";
import { eventually } from "../support/eventually.ts";

const DATAGRAMS = 1_000_000;
const STREAMS = 3_000;
/** Between two looks at whether the relay has kept up; fits its socket's buffer. */
const WINDOW = 50;
const SEED = 20_261_122;
const MIB = 2 ** 20;

let gateway: GatewayProcess;
let echo: EchoBackend;
let calls: Call[];

beforeEach(async () => {
  echo = await startEchoBackend();
});
afterEach(async () => {
  for (const call of calls) call.stop();
  expect(gateway.hasCrashed).toBe(false);
  expect(await gateway.stop()).toEqual([]);
  expect(replay(readJournal(gateway.journal), digest).divergence).toBeUndefined();
  gateway.clean();
  await echo.close();
});

const start = async (world: Parameters<typeof startGatewayProcess>[0] = {}): Promise<void> => {
  gateway = await startGatewayProcess(world);
  const to = { host: "127.0.0.1", port: gateway.port, username: "user-1", password: "pass-1" };
  calls = await Promise.all([startStream(to, echo), startStream({ ...to, transport: "tcp" }, echo)]);
};

interface Attacker {
  send(datagram: Buffer): void;
  /** Resolves once the relay has taken all that was sent before, as it answers in order; to the bytes that it took to ask. */
  keepUp(): Promise<number>;
  close(): void;
}

const ASK_AGAIN_MS = 500;
const TRANSACTION_ID_AT = 8;

const openAttacker = async (heard: (message: Buffer) => void = () => undefined): Promise<Attacker> => {
  const socket = createSocket("udp4");
  await once(socket.bind(0, "127.0.0.1"), "listening");
  /** The question under way, and what its answer settles: those to an attack's own requests say nothing of what came after. */
  let asked = bindingRequest();
  let answered: () => void = () => undefined;
  socket.on("message", (message) => {
    heard(message);
    if (message.subarray(TRANSACTION_ID_AT, TRANSACTION_ID_AT + 12).equals(asked.subarray(TRANSACTION_ID_AT)))
      answered();
  });
  const send = (datagram: Buffer): void => socket.send(datagram, gateway.port, "127.0.0.1");
  return {
    send,
    async keepUp() {
      const answer = new Promise<void>((resolve) => (answered = resolve));
      let bytes = 0;
      asked = bindingRequest();
      const ask = (): void => {
        bytes += asked.length;
        send(asked);
      };
      ask();
      const timer = setInterval(ask, ASK_AGAIN_MS);
      await answer;
      clearInterval(timer);
      return bytes;
    },
    close: () => socket.close(),
  };
};

const bindingRequest = (): Buffer =>
  encode({ method: method.binding, class: "request", transactionId: randomBytes(12), attributes: [] });

/** Datagrams that the kernel threw away because the relay's socket was full. */
const kernelDrops = (): number => {
  const port = gateway.port.toString(16).toUpperCase().padStart(4, "0");
  const line = readFileSync("/proc/net/udp", "utf8")
    .split("\n")
    .find((text) => text.includes(` 0100007F:${port} `));
  if (line === undefined) throw new Error("the relay's socket is not in /proc/net/udp");
  return Number(line.trim().split(/\s+/).at(-1));
};

/** No call has lost a packet; says where packets went if one has. */
const noneLost = async (): Promise<void> => {
  const lost = await Promise.all(calls.map((call) => call.lost()));
  const { dropped } = (await gateway.state()).relay;
  expect(lost, `dropped by the relay: ${JSON.stringify(dropped)}, by the kernel: ${kernelDrops()}`).toEqual(
    calls.map(() => []),
  );
};

describe("the relay", () => {
  it(`takes ${DATAGRAMS.toLocaleString("en")} malformed datagrams without a crash, a leak or a lost packet of anybody else`, async () => {
    await start();
    const random = randomFrom(SEED);
    const attacker = await openAttacker();
    const flood = async (count: number): Promise<void> => {
      for (let sent = 0; sent < count; sent += WINDOW) {
        for (let n = 0; n < WINDOW; n += 1) attacker.send(malformed(random));
        await attacker.keepUp();
      }
    };
    // The first part warms caches up; what grows after it would grow for ever.
    await flood(DATAGRAMS / 4);
    const warm = await gateway.memory();
    await flood((DATAGRAMS * 3) / 4);
    const after = await gateway.memory();
    attacker.close();

    // The kernel lost none of them on the way, so the relay looked at every one.
    expect(kernelDrops()).toBe(0);
    expect((after.heapUsed - warm.heapUsed) / MIB).toBeLessThan(8);
    expect((after.external - warm.external) / MIB).toBeLessThan(8);
    expect((await gateway.state()).allocations).toHaveLength(calls.length);
    await noneLost();
  });

  it(`takes ${STREAMS.toLocaleString("en")} broken, truncated, oversized and slow streams the same way`, async () => {
    await start();
    const random = randomFrom(SEED + 1);
    const slow: Stream[] = [];

    const open = (): Promise<Stream> =>
      new Promise((resolve, reject) => {
        const stream = connect(gateway.port, "127.0.0.1", () => resolve(stream));
        stream.on("error", reject);
        stream.resume();
      });
    const attack = async (n: number): Promise<void> => {
      const stream = await open();
      const closed = new Promise<void>((resolve) => stream.on("close", () => resolve()));
      stream.on("error", () => undefined);
      if (n % 30 === 0) {
        // Sends half a header and then nothing.
        stream.write(bindingRequest().subarray(0, 7));
        slow.push(stream);
        return;
      }
      for (let frames = 0; frames < 10; frames += 1) stream.write(malformed(random));
      if (n % 3 === 0) stream.resetAndDestroy();
      else if (n % 3 === 1) stream.end();
      // A frame that announces more than any frame may have.
      else stream.end(Buffer.concat([Buffer.from([0, 3, 0xff, 0xfc, 0x21, 0x12, 0xa4, 0x42]), Buffer.alloc(70_000)]));
      await closed;
    };
    const attackAll = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n += 50) await Promise.all(Array.from({ length: 50 }, (_, i) => attack(n + i)));
    };

    await attackAll(STREAMS / 3);
    const warm = await gateway.memory();
    await attackAll((STREAMS * 2) / 3);
    const after = await gateway.memory();
    expect((after.heapUsed - warm.heapUsed) / MIB).toBeLessThan(8);

    // Only those that are still slowly sending are left, beside the call.
    await eventually(async () => {
      const [tcp] = (await gateway.state()).relay.listeners.filter(({ protocol }) => protocol === "TURN-TCP");
      expect(tcp?.connections).toBeLessThanOrEqual(slow.length + 1);
    });
    for (const stream of slow) stream.destroy();
    await noneLost();
  });
});

describe("a request without credentials", () => {
  const requests: readonly (readonly [string, Buffer])[] = [
    [
      "a bare Allocate",
      encode({ method: method.allocate, class: "request", transactionId: randomBytes(12), attributes: [] }),
    ],
    [
      "an Allocate",
      encode({
        method: method.allocate,
        class: "request",
        transactionId: randomBytes(12),
        attributes: [{ type: attribute.requestedTransport, value: 17 * 0x1000000 }],
      }),
    ],
    ["a Refresh", encode({ method: method.refresh, class: "request", transactionId: randomBytes(12), attributes: [] })],
    ["a Binding", bindingRequest()],
    [
      "an unknown attribute",
      encode({
        method: method.binding,
        class: "request",
        transactionId: randomBytes(12),
        attributes: [{ type: 0x7777, raw: Buffer.alloc(4) }],
      }),
    ],
  ];

  it.each([
    ["an ordinary realm", "stunner.l7mp.io"],
    ["the longest realm", `${"r".repeat(60)}.${"r".repeat(60)}`],
  ])(
    "is never answered with more than three times its bytes over time, and leaves nothing behind, with %s",
    async (_, realm) => {
      await start({ realm });
      let bytesBack = 0;
      let largest = 0;
      const attacker = await openAttacker((message) => {
        bytesBack += message.length;
        largest = Math.max(largest, message.length);
      });
      const before = await gateway.memory();
      for (const [what, request] of requests) {
        await attacker.keepUp();
        bytesBack = 0;
        let bytesSent = 0;
        for (let n = 0; n < 200; n += 1) {
          for (let i = 0; i < WINDOW; i += 1) attacker.send(request);
          bytesSent += request.length * WINDOW + (await attacker.keepUp());
        }
        expect(bytesBack, what).toBeGreaterThan(0);
        expect(bytesBack / bytesSent, what).toBeLessThanOrEqual(3);
      }
      attacker.close();
      const state = await gateway.state();
      expect(state.allocations).toHaveLength(calls.length);
      expect(((await gateway.memory()).heapUsed - before.heapUsed) / MIB).toBeLessThan(8);
      expect(largest).toBeLessThan(300);
      await noneLost();
    },
    60_000,
  );
});
