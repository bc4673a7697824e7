/** Attacks on the relay, one by one; docs/security.md says what is expected of each. Prints what was measured. */
import type { HmacSha1 } from "../../src/stun/hmac-sha1.ts";
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import type { EngineName } from "../../src/dataplane/engines/choose.ts";
import { attribute } from "../../src/stun/attributes.ts";
import { decode, encode } from "../../src/turn-client/codec.ts";
import { longTermKey } from "../../src/stun/integrity.ts";
import { method } from "../../src/stun/message.ts";
import type { RelayTuning } from "../../src/dataplane/relay.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { credentials, startTestDataplane, type ConfigChanges, type TestDataplane } from "../support/dataplane.ts";
import { startEchoBackend } from "../support/live.ts";

const measured: string[] = [];
let dataplane: TestDataplane;

const start = async (changes: ConfigChanges = {}, relay: RelayTuning = {}, engine?: EngineName): Promise<void> => {
  dataplane = await startTestDataplane(changes, { relay, engine });
  onTestFinished(() => dataplane.stop());
};
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
  onTestFinished(() => client.close());
  return client;
};
const socketOn = async (address: string) => {
  const socket = createSocket("udp4").bind(0, address);
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return socket;
};
const ask = async (socket: Awaited<ReturnType<typeof socketOn>>, port: number, bytes: Buffer): Promise<Buffer> => {
  const answer = once(socket, "message");
  socket.send(bytes, port, "127.0.0.1");
  const [message] = (await answer) as [Buffer];
  return message;
};
/** Resolves once the kernel has taken the datagram. */
const sent = (socket: Socket, bytes: Buffer, port: number): Promise<void> =>
  new Promise((resolve, reject) =>
    socket.send(bytes, port, "127.0.0.1", (error) => (error === null ? resolve() : reject(error))),
  );
const request = (asked: number, attributes: Parameters<typeof encode>[0]["attributes"] = [], key?: HmacSha1): Buffer =>
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
    onTestFinished(() => clearInterval(dribble));
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

describe.each(["batch", "dgram"] as const)("a flood of Allocates without credentials (%s engine)", (engine) => {
  it("waits for the calls that go on: no packet is lost, and what does not fit the queue is dropped", async () => {
    await start({}, {}, engine);
    const { relay } = dataplane.dataplane;
    const backend = await startEchoBackend("127.0.0.1");
    onTestFinished(() => backend.close());
    const call = await clientOver("udp");
    await call.allocate();
    await call.channelBind(0x4000, backend);
    const flood = await socketOn("127.0.0.1");
    const bytes = request(method.allocate, [transportAttribute]);
    const packetsIn = (): number =>
      relay.state().listeners.find(({ protocol }) => protocol === "TURN-UDP")?.packetsIn ?? 0;
    const backlogged = (): number => relay.state().dropped["control-backlog"] ?? 0;

    // Acknowledged by the relay's counter before the next burst is sent: the kernel has no reason to drop any of it.
    const burst = 400;
    let [allocates, packets, waiting] = [0, 0, 0];
    while (backlogged() === 0 || packets < 20) {
      const before = packetsIn();
      await Promise.all(Array.from({ length: burst }, () => sent(flood, bytes, dataplane.ports.udp)));
      allocates += burst;
      const payload = Buffer.alloc(160);
      payload.writeUInt32BE(packets++);
      call.sendChannel(0x4000, payload);
      expect((await call.receive()).data).toEqual(payload);
      ({ waiting } = relay.state());
      await expect.poll(packetsIn, { interval: 1 }).toBe(before + burst + 1);
    }
    // The last packet overtook requests that were sent before it, and so does a request that is signed.
    expect(waiting).toBeGreaterThan(0);
    expect(await call.refresh(600)).toBe(600);
    expect(relay.state().waiting).toBeGreaterThan(0);

    await expect.poll(() => relay.state().waiting).toBe(0);
    const { refused, allocations } = relay.state();
    // The first request of `call` was challenged, too.
    expect((refused["401 challenge"] ?? 0) - 1 + backlogged()).toBe(allocates);
    expect(allocations).toHaveLength(1);
    measured.push(
      `${engine}: ${packets} of ${packets} packets during ${allocates} unauthenticated Allocates, ${backlogged()} of them dropped`,
    );
  });
});
