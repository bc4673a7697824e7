import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../../test/support/free-port.ts";
import { TurnClient } from "../turn-client/turn-client.ts";
import type { TransportAddress } from "../net/address.ts";
import { createRelay } from "./create-relay.ts";
import { placeOn } from "./placement.ts";
import type { Relay } from "./relay.ts";
import { attribute } from "../stun/attributes.ts";
import { longTermKey } from "../stun/integrity.ts";
import { attributeBytes, xorAddressValue } from "../turn-client/attribute-bytes.ts";
import { withFingerprint, withIntegrity } from "../turn-client/signing.ts";
import { engines, offload } from "../../test/support/offload.ts";

/** No route leads there, and no socket may send there: the system refuses. */
const UNREACHABLE = "255.255.255.255";

/** A Send indication with `attributes` in this order, each a type and a value. */
const indication = (transactionId: Buffer, attributes: readonly (readonly [number, Buffer])[]): Buffer => {
  const body = Buffer.concat(attributes.map(([type, value]) => attributeBytes(type, value)));
  const head = Buffer.from([0x00, 0x16, body.length >> 8, body.length & 255, 0x21, 0x12, 0xa4, 0x42]);
  return Buffer.concat([head, transactionId, body]);
};

describe.each(engines())("a Send indication, %s engine", (engine) => {
  let relay: Relay;
  let client: TurnClient;
  let peer: Socket;
  let other: Socket;
  let arrived: string[];
  const id = randomBytes(12);

  const at = ({ address, port }: TransportAddress): Buffer => xorAddressValue({ address, port }, id)!;
  const peerAddress = (socket: Socket = peer): readonly [number, Buffer] => [
    attribute.xorPeerAddress,
    at({ address: "127.0.0.1", port: socket.address().port }),
  ];
  const data = (text: string): readonly [number, Buffer] => [attribute.data, Buffer.from(text)];
  const text = (type: number, value: string): readonly [number, Buffer] => [type, Buffer.from(value)];
  const credentials = [
    text(attribute.username, "u"),
    text(attribute.realm, "r"),
    text(attribute.nonce, "anything"),
  ] as const;
  const key = longTermKey("u", "r", "p");

  /** Everything the relay has dropped, by reason. */
  const drops = () => relay.state().dropped;

  beforeEach(async () => {
    const port = await freePort("127.0.0.1");
    relay = createRelay({ place: placeOn(["127.0.0.1"]), own: [], engine, log: pino({ level: "silent" }) });
    await relay.apply({
      version: "v1",
      admin: { name: "gw", ...offload() },
      auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
      listeners: [{ name: "gw/udp", protocol: "TURN-UDP", address: "", port, routes: ["c"] }],
      clusters: [{ name: "c", type: "STATIC", protocol: "UDP", endpoints: ["127.0.0.1", UNREACHABLE] }],
    });
    client = await TurnClient.connect({ host: "127.0.0.1", port, username: "u", password: "p" });
    await client.allocate();
    await client.createPermission("127.0.0.1");
    arrived = [];
    [peer, other] = [createSocket("udp4"), createSocket("udp4")];
    for (const [name, socket] of [
      ["", peer],
      ["other peer: ", other],
    ] as const) {
      socket.on("message", (bytes) => arrived.push(`${name}${bytes.toString()}`));
      socket.bind(0, "127.0.0.1");
      await once(socket, "listening");
    }
  });

  afterEach(async () => {
    client.close();
    peer.close();
    other.close();
    await relay.close();
  });

  it("is relayed whatever it carries that is known, signed or not, and of repeated attributes the first counts", async () => {
    const send = (...attributes: readonly (readonly [number, Buffer])[]): Buffer => indication(id, attributes);
    const sent = [
      send(peerAddress(), data("plain")),
      withIntegrity(send(peerAddress(), ...credentials, data("signed")), key),
      withFingerprint(withIntegrity(send(peerAddress(), data("signed, with fingerprint")), key)),
      send(peerAddress(), peerAddress(other), data("first peer")),
      send(peerAddress(), data("first data"), data("second data")),
      send(
        [attribute.priority, Buffer.alloc(4)],
        [attribute.useCandidate, Buffer.alloc(0)],
        peerAddress(),
        data("ICE"),
      ),
      send([0x8022, Buffer.from("software")], [0xfffe, Buffer.alloc(3)], peerAddress(), data("optional unknown")),
      send(
        peerAddress(),
        [attribute.lifetime, Buffer.alloc(4)],
        [attribute.channelNumber, Buffer.alloc(4)],
        data("TURN"),
      ),
      Buffer.concat([
        withIntegrity(send(peerAddress(), data("unknown after MESSAGE-INTEGRITY")), key),
        attributeBytes(0x7ffe, Buffer.alloc(4)),
      ]),
      send(peerAddress(), data("")),
    ].map((bytes) => {
      bytes.writeUInt16BE(bytes.length - 20, 2);
      return bytes;
    });
    for (const bytes of sent) client.sendRaw(bytes);
    await expect.poll(() => arrived.length).toBe(sent.length);
    expect(arrived).toEqual([
      "plain",
      "signed",
      "signed, with fingerprint",
      "first peer",
      "first data",
      "ICE",
      "optional unknown",
      "TURN",
      "unknown after MESSAGE-INTEGRITY",
      "",
    ]);
    expect(drops()).toEqual({});
  });

  it("is counted whenever it is dropped", async () => {
    const badFamily = at({ address: "127.0.0.1", port: peer.address().port });
    badFamily[1] = 2;
    const beyond = indication(id, [peerAddress(), data("beyond")]);
    beyond.writeUInt16BE(200, beyond.length - 10);
    const dropped: readonly (readonly [string, Buffer])[] = [
      ["send-attributes", indication(id, [[0x7ffe, Buffer.alloc(4)], peerAddress(), data("unknown")])],
      ["send-attributes", indication(id, [peerAddress(), data("unknown"), [0x0099, Buffer.alloc(0)]])],
      ["send-indication", indication(id, [peerAddress()])],
      ["send-indication", indication(id, [data("no peer")])],
      ["send-indication", indication(id, [])],
      ["send-indication", indication(id, [[attribute.xorPeerAddress, badFamily], data("family")])],
      ["send-indication", indication(id, [[attribute.xorPeerAddress, Buffer.alloc(7)], data("length")])],
      ["send-indication", beyond],
      ["no-permission", indication(id, [[attribute.xorPeerAddress, at({ address: "127.0.0.9", port: 9 })], data("x")])],
      ["no-permission", indication(id, [[attribute.xorPeerAddress, at({ address: "127.0.0.1", port: 0 })], data("x")])],
    ];
    const expected: Record<string, number> = {};
    for (const [reason, bytes] of dropped) {
      client.sendRaw(bytes);
      expected[reason] = (expected[reason] ?? 0) + 1;
    }
    await expect.poll(drops).toEqual(expected);
    expect(arrived).toEqual([]);
  });

  it("is counted when the system refuses to send it, and the next one is sent", async () => {
    await client.createPermission(UNREACHABLE);
    await client.channelBind(0x4001, { address: UNREACHABLE, port: 9 });
    client.send({ address: UNREACHABLE, port: 9 }, Buffer.from("refused"));
    client.sendChannel(0x4001, Buffer.from("refused too"));
    client.send({ address: "127.0.0.1", port: peer.address().port }, Buffer.from("sent"));
    await expect.poll(() => [arrived, drops()]).toEqual([["sent"], { unsendable: 2 }]);
    expect(relay.state().listeners.map(({ state }) => state)).toEqual(["serving"]);
  });

  it("is counted as dropped when it is a message that no server takes", async () => {
    for (const type of [0x0017, 0x0101, 0x0111, 0x0013]) {
      const bytes = indication(id, []);
      bytes.writeUInt16BE(type, 0);
      client.sendRaw(bytes);
    }
    const keepAlive = indication(id, []);
    keepAlive.writeUInt16BE(0x0011, 0);
    client.sendRaw(keepAlive);
    await client.binding();
    expect(drops()).toEqual({ "not-a-request": 4 });
  });
});
