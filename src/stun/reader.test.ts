import { describe, expect, it } from "vitest";
import { HmacSha1 } from "./hmac-sha1.ts";
import { addressValue, attribute } from "./attributes.ts";
import { integrityIsValid } from "./integrity.ts";
import { method, type Attribute, type MessageClass } from "./message.ts";
import { decode, type ReceivedMessage } from "./reader.ts";
import { encode } from "./writer.ts";

const transactionId = Buffer.from("0123456789ab");
const key = new HmacSha1(Buffer.from("key"));

const written = (attributes: readonly Attribute[], kind: MessageClass = "request", rest = {}): Buffer =>
  encode({ method: method.allocate, class: kind, transactionId, attributes, ...rest });

const messageOf = (bytes: Buffer): ReceivedMessage => {
  const decoded = decode(bytes);
  if (decoded.kind !== "message") throw new Error(decoded.code);
  return decoded;
};

/** `bytes` with an attribute behind, in a header that counts it. */
const followedBy = (bytes: Buffer, type: number, value: Buffer): Buffer => {
  const head = Buffer.from([type >> 8, type & 255, value.length >> 8, value.length & 255]);
  const longer = Buffer.concat([bytes, head, value, Buffer.alloc(-value.length & 3)]);
  longer.writeUInt16BE(longer.length - 20, 2);
  return longer;
};

describe("a message", () => {
  it("has the values that were written, and nothing for those that were not", () => {
    const message = messageOf(
      written(
        [
          { type: attribute.requestedTransport, value: 17 * 0x1000000 },
          { type: attribute.lifetime, value: 0xffffffff },
          { type: attribute.evenPort, value: Buffer.from([0x80]) },
          { type: attribute.connectionId, value: 0xfedcba98 },
          { type: attribute.channelNumber, value: 0x4001 * 0x10000 },
          { type: attribute.dontFragment, raw: Buffer.alloc(0) },
        ],
        "request",
        { key, fingerprint: true },
      ),
    );
    expect(message).toMatchObject({
      method: method.allocate,
      class: "request",
      transactionId,
      requestedTransport: 17,
      lifetime: 0xffffffff,
      evenPort: true,
      connectionId: 0xfedcba98,
      channelNumber: 0x4001,
      dontFragment: true,
      hasFingerprint: true,
      unknown: [],
      peers: [],
    });
    for (const absent of ["username", "realm", "nonce", "data", "requestedFamily", "additionalFamily"] as const)
      expect(message[absent]).toBeUndefined();
    expect(messageOf(written([{ type: attribute.evenPort, value: Buffer.from([0x7f]) }])).evenPort).toBe(false);
  });

  it("can be read after others were read and written, as requests do that wait", async () => {
    const message = messageOf(written([{ type: attribute.username, value: "alice" }], "request", { key }));
    await Promise.resolve();
    for (let count = 0; count < 10; count++) {
      messageOf(written([{ type: attribute.username, value: `somebody-${count}` }]));
      decode(Buffer.alloc(20, count));
    }
    expect(message).toMatchObject({ username: "alice", transactionId, method: method.allocate });
    expect(integrityIsValid(message.bytes, message.integrityAt!, key)).toBe(true);
  });

  it("has the first of repeated values, and every peer", () => {
    const addresses = ["192.0.2.1", "2001:db8::1", "192.0.2.3"].map((address, index) => ({ address, port: index }));
    const message = messageOf(
      written([
        { type: attribute.lifetime, value: 1 },
        ...addresses.map((address) => ({ type: attribute.xorPeerAddress, address })),
        { type: attribute.lifetime, value: 2 },
      ]),
    );
    expect(message.lifetime).toBe(1);
    expect(message.peers).toEqual(addresses);
  });

  it.each([0x8000, 0x8032])("has the additional family that attribute 0x%s asks for", (type) => {
    expect(messageOf(written([{ type, raw: Buffer.from([2, 0, 0, 0]) }])).additionalFamily).toBe(2);
  });

  it("has the IPv4 form of an IPv4-mapped address", () => {
    const mapped = Buffer.from("00000000000000000000ffffc0000201", "hex");
    const pad = Buffer.concat([Buffer.from("2112a442", "hex"), transactionId]);
    const raw = Buffer.concat([Buffer.from([0, 2, 0x21, 0x13]), mapped.map((byte, at) => byte ^ (pad[at] ?? 0))]);
    expect(messageOf(written([{ type: attribute.xorPeerAddress, raw }])).peers).toEqual([
      { address: "192.0.2.1", port: 1 },
    ]);
  });

  it("has each type once that must be understood and is not", () => {
    const attributes = [0x07ad, 0x8fff, 0x7fff, 0x07ad].map((type) => ({ type, raw: Buffer.alloc(4) }));
    expect(messageOf(written(attributes)).unknown).toEqual([0x07ad, 0x7fff]);
  });

  it("does not have what follows MESSAGE-INTEGRITY", () => {
    const signed = written([], "request", { key });
    const bytes = followedBy(followedBy(signed, attribute.lifetime, Buffer.alloc(4)), 0x7fff, Buffer.alloc(3));
    const message = messageOf(bytes);
    expect(message.lifetime).toBeUndefined();
    expect(message.unknown).toEqual([]);
    expect(integrityIsValid(message.bytes, message.integrityAt!, key)).toBe(true);
  });

  it.each([attribute.mappedAddress, attribute.alternateServer, 0x802b, 0x802c])(
    "is read whatever port the address in attribute 0x%s has",
    (type) => {
      const bytes = written([{ type, raw: addressValue({ address: "192.0.2.1", port: 0 })! }]);
      expect(decode(bytes).kind).toBe("message");
    },
  );
});

describe("what is dropped", () => {
  const valid = written([{ type: attribute.lifetime, value: 600 }], "request", { fingerprint: true });
  const changed = (change: (bytes: Buffer) => void, bytes = valid): Buffer => {
    const copy = Buffer.from(bytes);
    change(copy);
    return copy;
  };

  it.each<[string, Buffer]>([
    ["stun-short", valid.subarray(0, 19)],
    ["stun-header", changed((bytes) => bytes.writeUInt16BE(0x4001, 0))],
    ["stun-header", changed((bytes) => bytes.writeUInt32BE(0x2112a443, 4))],
    ["stun-header", changed((bytes) => bytes.writeUInt16BE(bytes.length - 16, 2))],
    ["stun-header", changed((bytes) => bytes.writeUInt16BE(bytes.length - 21, 2))],
    ["stun-header", valid.subarray(0, valid.length - 4)],
    ["stun-attribute-bounds", changed((bytes) => bytes.writeUInt16BE(0xffff, 22))],
    ["stun-attribute-bounds", changed((bytes) => bytes.writeUInt16BE(13, 22))],
    ["stun-attribute-count", written(Array.from({ length: 65 }, () => ({ type: 0x8fff, raw: Buffer.alloc(0) })))],
    ["stun-fingerprint", changed((bytes) => (bytes[bytes.length - 1]! ^= 1))],
    ["stun-fingerprint-place", followedBy(valid, 0x8fff, Buffer.alloc(0))],
    ["stun-fingerprint-place", followedBy(written([]), attribute.fingerprint, Buffer.alloc(3))],
    ["stun-attribute-length", followedBy(written([]), attribute.messageIntegrity, Buffer.alloc(16))],
    ["stun-attribute-length", written([{ type: attribute.lifetime, raw: Buffer.alloc(2) }], "indication")],
    ["stun-address-family", written([{ type: attribute.xorPeerAddress, raw: Buffer.alloc(8, 2) }], "success")],
  ])("%s", (code, bytes) => {
    expect(decode(bytes)).toEqual({ kind: "drop", code });
  });

  it("is read with as many attributes as there may be", () => {
    const attributes = Array.from({ length: 64 }, () => ({ type: 0x8fff, raw: Buffer.alloc(0) }));
    expect(decode(written(attributes)).kind).toBe("message");
  });
});

describe("a request that is answered with 400", () => {
  const address = Buffer.alloc(20, 1);
  it.each<[string, number, Buffer]>([
    ["400 attribute-length", attribute.username, Buffer.alloc(0)],
    ["400 attribute-length", attribute.username, Buffer.alloc(514)],
    ["400 attribute-length", attribute.realm, Buffer.alloc(764)],
    ["400 attribute-length", attribute.nonce, Buffer.alloc(0)],
    ["400 attribute-length", attribute.evenPort, Buffer.alloc(4)],
    ["400 attribute-length", attribute.dontFragment, Buffer.alloc(4)],
    ["400 attribute-length", attribute.reservationToken, Buffer.alloc(7)],
    ["400 attribute-length", attribute.xorPeerAddress, Buffer.alloc(16)],
    ["400 attribute-length", attribute.unknownAttributes, Buffer.alloc(3)],
    ["400 attribute-length", 0x0027, Buffer.alloc(3)],
    ["400 address-family", attribute.xorPeerAddress, address],
    ["400 address-family", 0x802c, address],
  ])("%s: attribute %i", (code, type, raw) => {
    const bytes = written([{ type, raw }]);
    expect(decode(bytes)).toEqual({ kind: "reject", code, method: method.allocate, transactionId });
  });

  it("has bounds that hold: until they do nobody is answered", () => {
    const bytes = written([
      { type: attribute.lifetime, raw: Buffer.alloc(2) },
      { type: attribute.lifetime, value: 1 },
    ]);
    bytes.writeUInt16BE(0x100, bytes.length - 6);
    expect(decode(bytes)).toEqual({ kind: "drop", code: "stun-attribute-bounds" });
  });
});
