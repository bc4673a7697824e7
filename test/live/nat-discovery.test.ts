/** NAT behaviour discovery (RFC 5780) on a listener with two addresses. */
import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { promisify } from "node:util";
import { pino } from "pino";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createRelay } from "../../src/dataplane/create-relay.ts";
import { placeOn } from "../../src/dataplane/placement.ts";
import type { RelayOptions } from "../../src/dataplane/relay.ts";
import { addressValue, discoveryAttribute } from "../../src/stun/attributes.ts";
import { method, type Attribute, type Message } from "../../src/stun/message.ts";
import { decode } from "../../src/stun/reader.ts";
import { encode } from "../../src/stun/writer.ts";
import { eventually } from "../support/eventually.ts";
import { enterOwnNetwork } from "../support/network.ts";
import { PATIENCE_MS } from "../support/patience.ts";

const isRoot = process.getuid?.() === 0;
const [FIRST, SECOND, CLIENT] = ["10.99.0.1", "10.99.0.2", "10.99.0.3"];
const PORT = 3478;
const run = promisify(execFile);

const start = async (options: Partial<RelayOptions>) => {
  const relay = createRelay({
    place: placeOn([FIRST, SECOND]),
    own: [FIRST, SECOND],
    log: pino({ level: "silent" }),
    ...options,
  });
  onTestFinished(() => relay.close());
  const { listeners } = await relay.apply({
    version: "v1",
    admin: { name: "gw" },
    auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
    listeners: [{ name: "gw/udp", protocol: "TURN-UDP", address: "", port: PORT, routes: ["c"] }],
    clusters: [{ name: "c", type: "STATIC", protocol: "UDP", endpoints: [CLIENT] }],
  });
  expect(listeners).toMatchObject([{ change: "started", at: [`${FIRST}:${PORT}`, `${SECOND}:${PORT}`] }]);
  return relay;
};

const open = async (): Promise<Socket> => {
  const socket = createSocket("udp4");
  socket.bind(0, CLIENT);
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return socket;
};

const request = (asked: number, ...attributes: readonly Attribute[]): Buffer =>
  encode({ method: asked, class: "request", transactionId: randomBytes(12), attributes });

const answerTo = async (socket: Socket): Promise<{ readonly message: Message; readonly from: string }> => {
  const [bytes, from] = (await once(socket, "message")) as [Buffer, RemoteInfo];
  const message = decode(bytes);
  if (message.kind !== "message") throw new Error(message.code);
  return { message, from: `${from.address}:${from.port}` };
};

const change = (flags: number): Attribute => ({ type: discoveryAttribute.changeRequest, value: flags });
const holds = ({ bytes }: Message, type: number, address: string, port: number): boolean =>
  bytes.includes(Buffer.concat([Buffer.from([type >> 8, type & 255, 0, 8]), addressValue({ address, port })!]));

describe.runIf(isRoot)("NAT behaviour discovery", () => {
  beforeAll(() => {
    enterOwnNetwork();
    for (const address of [FIRST, SECOND, CLIENT])
      expect(spawnSync("ip", ["address", "add", `${address}/24`, "dev", "lo"]).status).toBe(0);
  });

  describe.each([
    ["the dgram engine", { engine: "dgram" }],
    ["the batch engine", { engine: "batch" }],
    ["two threads", { engine: "batch", workers: 2 }],
  ] as const)("with %s", (_, options) => {
    it("answers from the address and port that the client asks for, and names both", async () => {
      await start({ ...options, natDiscovery: true });
      const socket = await open();
      for (const [address, port] of [
        [FIRST, PORT],
        [FIRST, PORT + 1],
        [SECOND, PORT],
        [SECOND, PORT + 1],
      ] as const)
        for (const [flags, isOtherAddress, isOtherPort] of [
          [0, false, false],
          [2, false, true],
          [4, true, false],
          [6, true, true],
        ] as const) {
          socket.send(request(method.binding, change(flags)), port, address);
          const { message, from } = await answerTo(socket);
          const otherAddress = address === FIRST ? SECOND : FIRST;
          const otherPort = port === PORT ? PORT + 1 : PORT;
          const origin = [isOtherAddress ? otherAddress : address, isOtherPort ? otherPort : port] as const;
          expect(from).toBe(origin.join(":"));
          expect(message).toMatchObject({ class: "success", mapped: { address: CLIENT, port: socket.address().port } });
          expect(holds(message, discoveryAttribute.responseOrigin, ...origin)).toBe(true);
          expect(holds(message, discoveryAttribute.otherAddress, otherAddress, otherPort)).toBe(true);
        }
    });

    it("answers to the port that the client asks for", async () => {
      await start({ ...options, natDiscovery: true });
      const [asking, hearing] = [await open(), await open()];
      const port = Buffer.alloc(4);
      port.writeUInt16BE(hearing.address().port);
      asking.send(request(method.binding, { type: discoveryAttribute.responsePort, raw: port }), PORT, FIRST);
      const { message } = await answerTo(hearing);
      expect(message.mapped).toEqual({ address: CLIENT, port: asking.address().port });
      // There is no port 0.
      asking.send(
        request(method.binding, { type: discoveryAttribute.responsePort, raw: Buffer.alloc(4) }),
        PORT,
        FIRST,
      );
      expect((await answerTo(asking)).message.class).toBe("success");
    });

    it("answers nothing but Binding on the alternate port", async () => {
      const relay = await start({ ...options, natDiscovery: true });
      const socket = await open();
      socket.send(request(method.allocate), PORT + 1, FIRST);
      await eventually(async () => {
        await relay.refresh();
        expect(relay.state().dropped["discovery-port"]).toBe(1);
      });
    });
  });

  it("is off by default: 420, and no other attributes", async () => {
    await start({});
    const socket = await open();
    socket.send(request(method.binding, change(6)), PORT, FIRST);
    expect((await answerTo(socket)).message).toMatchObject({ error: { code: 420 } });
    socket.send(request(method.binding), PORT, FIRST);
    expect((await answerTo(socket)).message.bytes).toHaveLength(40);
  });

  it("serves coturn's turnutils_natdiscovery", async () => {
    await start({ natDiscovery: true });
    const { stdout } = await run("turnutils_natdiscovery", ["-m", "-f", "-L", CLIENT, "-p", String(PORT), FIRST], {
      timeout: PATIENCE_MS,
    });
    expect(stdout).toContain(`Other addr: : ${SECOND}:${PORT + 1}`);
    expect(stdout).toContain("NAT with Endpoint Independent Mapping!");
    // The answer to a request for another address and port.
    expect(stdout).toContain(`Response origin: : ${SECOND}:${PORT + 1}`);
    expect(stdout).toContain("NAT with Endpoint Independent Filtering!");
  });
});
