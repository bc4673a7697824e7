/** Attacks on the relay, one by one; docs/security.md says what is expected of each. Prints what was measured. */
import { spawn } from "node:child_process";
import { randomBytes, type KeyObject } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { runLoad } from "../../src/load/load.ts";
import { attribute } from "../../src/dataplane/stun/attributes.ts";
import { decode, encode } from "../../src/dataplane/stun/codec.ts";
import { longTermKey } from "../../src/dataplane/stun/integrity.ts";
import { method } from "../../src/dataplane/stun/message.ts";
import type { RelayTuning } from "../../src/dataplane/relay.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { credentials, startTestDataplane, type ConfigChanges, type TestDataplane } from "../support/dataplane.ts";
import { startGatewayProcess } from "../support/gateway-process.ts";

const measured: string[] = [];
const cleanups: (() => unknown)[] = [];
let dataplane: TestDataplane;

const start = async (changes: ConfigChanges = {}, relay: RelayTuning = {}): Promise<void> => {
  dataplane = await startTestDataplane(changes, { relay });
  cleanups.push(() => dataplane.stop());
};
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
afterAll(() => void process.stdout.write(`\n${measured.join("\n")}\n`));

const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "success",
    (error: { code?: number; message: string }) => error.code ?? error.message,
  );
const clientOver = async (transport: "udp" | "tcp"): Promise<TurnClient> => {
  const client = await TurnClient.connect({
    host: "127.0.0.1",
    port: dataplane.ports[transport],
    transport,
    ...credentials,
  });
  cleanups.push(() => client.close());
  return client;
};
const socketOn = async (address: string) => {
  const socket = createSocket("udp4").bind(0, address);
  await once(socket, "listening");
  cleanups.push(() => socket.close());
  return socket;
};
const ask = async (socket: Awaited<ReturnType<typeof socketOn>>, port: number, bytes: Buffer): Promise<Buffer> => {
  const answer = once(socket, "message");
  socket.send(bytes, port, "127.0.0.1");
  const [message] = (await answer) as [Buffer];
  return message;
};
const request = (asked: number, attributes: Parameters<typeof encode>[0]["attributes"] = [], key?: KeyObject): Buffer =>
  encode({ method: asked, class: "request", transactionId: randomBytes(12), attributes, key });
const transportAttribute = { type: attribute.requestedTransport, value: 17 * 0x1000000 };

describe("addresses that a wide route must not open", () => {
  const anywhere = ["0.0.0.0/0", "::/0"];
  it.each([
    ["loopback", "127.0.0.1", 403],
    ["the relay's own address", "127.0.0.1", 403],
    ["loopback, mapped to IPv6", "::ffff:127.0.0.1", 403],
    ["unspecified", "0.0.0.0", 403],
    ["link-local", "169.254.7.7", 403],
    ["cloud metadata", "169.254.169.254", 403],
    ["cloud metadata, mapped to IPv6", "::ffff:169.254.169.254", 403],
    ["multicast", "224.0.0.1", 403],
    ["broadcast", "255.255.255.255", 403],
  ])("%s (%s) is denied by every way to it", async (_, address, refused) => {
    await start({
      clusters: (["UDP", "TCP"] as const).map((protocol) => ({
        name: `media/${protocol}`,
        type: "STATIC",
        protocol,
        endpoints: anywhere,
      })),
    });
    const udp = await clientOver("udp");
    await udp.allocate();
    const peer = { address, port: 9 };
    expect(await code(udp.createPermission(address))).toBe(refused);
    expect(await code(udp.channelBind(0x4000, peer))).toBe(refused);
    udp.send(peer, Buffer.from("data"));
    const { relay } = dataplane.dataplane;
    await expect.poll(() => relay.state().dropped["no-permission"]).toBe(1);
    const tcp = await clientOver("tcp");
    await tcp.allocate({ peers: "tcp" });
    expect(await code(tcp.createPermission(address))).toBe(refused);
    expect(await code(tcp.connect(peer))).toBe(refused);
    expect(relay.state().allocations.every(({ packetsIn }) => packetsIn === 0)).toBe(true);
    expect(await code(udp.createPermission("192.0.2.1"))).toBe("success");
  });
});

describe("a nonce", () => {
  it("is good for the address that it was given to alone, and a forged one for nobody", async () => {
    await start();
    const { udp } = dataplane.ports;
    const [owner, thief] = [await socketOn("127.0.0.1"), await socketOn("127.0.0.2")];
    const challenge = decode(await ask(owner, udp, request(method.allocate, [transportAttribute])));
    if (challenge.kind !== "message") throw new Error(challenge.code);
    const { nonce = "", realm = "" } = challenge.message;
    const signed = (by: string): Buffer =>
      request(
        method.allocate,
        [
          transportAttribute,
          { type: attribute.username, value: credentials.username },
          { type: attribute.realm, value: realm },
          { type: attribute.nonce, value: by },
        ],
        longTermKey(credentials.username, realm, credentials.password),
      );
    const codeOf = (bytes: Buffer): number => {
      const decoded = decode(bytes);
      return decoded.kind === "message" ? (decoded.message.error?.code ?? 0) : -1;
    };
    const captured = signed(nonce);
    expect(codeOf(await ask(owner, udp, captured))).toBe(0);
    expect(codeOf(await ask(thief, udp, captured))).toBe(438);
    expect(codeOf(await ask(thief, udp, signed("A".repeat(16))))).toBe(438);
    expect(dataplane.dataplane.relay.state().allocations).toHaveLength(1);
  });
});

describe("who has proven nothing", () => {
  it("gets no more than three times what they sent over UDP, but for 200 answers a second", async () => {
    await start();
    const socket = await socketOn("127.0.0.1");
    for (const [what, bytes] of [
      ["Binding", request(method.binding)],
      ["Allocate", request(method.allocate, [transportAttribute])],
      ["Refresh", request(method.refresh)],
      ["CreatePermission", request(method.createPermission)],
    ] as const) {
      const ratio = (await ask(socket, dataplane.ports.udp, bytes)).length / bytes.length;
      measured.push(`amplification of ${what}: ${ratio.toFixed(2)}`);
      // A request without a single attribute is shorter than any challenge; of those answers there are few.
      expect(ratio, what).toBeLessThanOrEqual(bytes.length > 20 ? 3 : 4);
    }
  });

  it("gets a cookie from DTLS, leaves no state there, and is sent less than they sent", async () => {
    await start();
    const socket = await socketOn("127.0.0.1");
    let [answers, back] = [0, 0];
    socket.on("message", (bytes) => {
      answers++;
      back += bytes.length;
    });
    const body = Buffer.concat([
      Buffer.from([0xfe, 0xfd]),
      randomBytes(32),
      Buffer.from([0, 0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]),
    ]);
    const length = Buffer.from([0, 0, body.length]);
    const handshake = Buffer.concat([Buffer.from([1]), length, Buffer.alloc(5), length, body]);
    const record = Buffer.from([22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, handshake.length]);
    const hello = Buffer.concat([record, handshake]);
    const hellos = 200;
    for (let n = 0; n < hellos; n++) socket.send(hello, dataplane.ports.dtls, "127.0.0.1");
    await expect.poll(() => answers).toBe(hellos);
    measured.push(`amplification of a DTLS ClientHello: ${(back / (hellos * hello.length)).toFixed(2)}`);
    expect(back).toBeLessThanOrEqual(hellos * hello.length);
    const dtls = dataplane.dataplane.relay.state().listeners.find(({ protocol }) => protocol === "TURN-DTLS");
    expect(dtls).toMatchObject({ connections: 0, connectionsTotal: 0, handshakes: 0 });
  });
});

describe("a slow client", () => {
  it.each(["tcp", "tls"] as const)("over %s loses its connection after the limit, however it dribbles", async (way) => {
    await start({}, { limits: { idleConnectionMilliseconds: 500, handshakeMilliseconds: 500 } });
    const port = dataplane.ports[way];
    const raw = connect(port, "127.0.0.1");
    const socket = way === "tcp" ? raw : connectTls({ socket: raw, rejectUnauthorized: false });
    socket.on("error", () => undefined);
    await once(socket, way === "tcp" ? "connect" : "secureConnect");
    const bytes = request(method.binding);
    let sent = 0;
    const dribble = setInterval(() => void (sent < 19 && socket.write(bytes.subarray(sent, ++sent))), 100);
    cleanups.push(() => clearInterval(dribble));
    socket.resume();
    await once(socket, "close");
    // One that never even begins its handshake goes the same way.
    const silent = connect(port, "127.0.0.1");
    silent.on("error", () => undefined).resume();
    await once(silent, "close");
    const { relay } = dataplane.dataplane;
    await expect.poll(() => relay.state().listeners.map(({ connections }) => connections)).toEqual([0, 0, 0, 0]);
  });
});

describe("a flood of Allocates without credentials", () => {
  it("does not hold up those whose calls go on", async () => {
    const gateway = await startGatewayProcess();
    cleanups.push(async () => {
      await gateway.stop();
      gateway.clean();
    });
    const bytes = request(method.allocate, [transportAttribute]).toString("hex");
    // Far more than can be answered: each costs the relay some fifty microseconds.
    const script = `
      const socket = require("node:dgram").createSocket("udp4");
      const bytes = Buffer.from("${bytes}", "hex");
      socket.bind(0, "127.0.0.1", () => process.stdout.write("ready"));
      process.stdin.once("data", () => setInterval(() => {
        for (let n = 0; n < 15; n++) socket.send(bytes, ${gateway.port}, "127.0.0.1");
      }, 1));`;
    const udpOf = async () =>
      (await gateway.state()).relay.listeners.find(({ protocol }) => protocol === "TURN-UDP")?.packetsIn ?? 0;
    // The flood begins when the calls are up, and is there for nearly all of what is measured.
    const flood = spawn(process.execPath, ["-e", script], { stdio: ["pipe", "pipe", "ignore"] });
    cleanups.push(() => flood.kill());
    await once(flood.stdout, "data");
    let began = 0;
    const before = await udpOf();
    const { p50, p99, sent, received } = await runLoad(
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
        window: 0,
        rate: 50,
        warmUpSeconds: 0.5,
        seconds: 6,
      },
      {
        begun: () => {
          began = performance.now();
          flood.stdin.write("go");
        },
      },
    );
    flood.kill();
    const seconds = (performance.now() - began) / 1000;
    const perSecond = Math.round(((await udpOf()) - before) / seconds);
    const { dropped } = (await gateway.state()).relay;
    measured.push(
      `${perSecond} unauthenticated Allocates a second: media p50 ${(p50 / 1000).toFixed(2)} ms, p99 ${(p99 / 1000).toFixed(2)} ms, ` +
        `${received} of ${sent} packets, ${dropped["control-backlog"] ?? 0} Allocates dropped`,
    );
    expect(received).toBeGreaterThan(sent * 0.99);
  }, 60_000);
});
