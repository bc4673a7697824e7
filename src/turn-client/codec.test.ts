import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HmacSha1 } from "../stun/hmac-sha1.ts";
import { parseIp, textOfBytes } from "../net/ip.ts";
import { addressFamily, attribute } from "../stun/attributes.ts";
import { rfc5769 } from "../../test/support/rfc5769.ts";
import { attributeBytes } from "./attribute-bytes.ts";
import { decode, encode } from "./codec.ts";
import { method, type Message } from "../stun/message.ts";
import { integrityIsValid } from "../stun/integrity.ts";

const messageOf = (bytes: Buffer): Message => {
  const decoded = decode(bytes);
  if (decoded.kind !== "message") throw new Error(decoded.code);
  return decoded.message;
};

const someKey = new HmacSha1(Buffer.from("key"));

describe("decoding", () => {
  const transactionId = Buffer.from("0123456789ab");

  it("gives back what was encoded", () => {
    const bytes = encode({
      method: method.allocate,
      class: "request",
      transactionId,
      attributes: [
        { type: attribute.requestedTransport, value: 17 * 0x1000000 },
        { type: attribute.lifetime, value: 777 },
        { type: attribute.additionalAddressFamily, raw: Buffer.from([addressFamily.ipv6, 0, 0, 0]) },
        { type: attribute.evenPort, value: Buffer.from([0x80]) },
      ],
      key: someKey,
      fingerprint: true,
    });
    expect(messageOf(bytes)).toMatchObject({
      method: method.allocate,
      requestedTransport: 17,
      lifetime: 777,
      additionalFamily: 2,
      evenPort: true,
      hasFingerprint: true,
      unknown: [],
    });
  });

  it("reads several peers and an error code", () => {
    const peers = [
      { address: "10.0.0.1", port: 1 },
      { address: "2001:db8::1", port: 65535 },
    ];
    const attributes = [
      ...peers.map((address) => ({ type: attribute.xorPeerAddress, address })),
      { type: attribute.errorCode, code: 438 },
    ];
    const bytes = encode({ method: method.createPermission, class: "error", transactionId, attributes });
    const message = messageOf(bytes);
    expect(message.peers).toEqual(peers);
    expect(message.error).toEqual({ code: 438, reason: "" });
  });

  it("writes a link-local address without its zone", () => {
    const attributes = [{ type: attribute.xorMappedAddress, address: { address: "fe80::1%eth0", port: 7 } }];
    const bytes = encode({ method: method.binding, class: "success", transactionId, attributes });
    expect(messageOf(bytes).mapped).toEqual({ address: "fe80::1", port: 7 });
  });

  it("gives back any address", () => {
    const v4 = fc.ipV4();
    const v6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => textOfBytes(Buffer.from(bytes), 0, 16));
    fc.assert(
      fc.property(fc.oneof(v4, v6), fc.integer({ min: 1, max: 65535 }), (address, port) => {
        const attributes = [1, 2].map(() => ({ type: attribute.xorPeerAddress, address: { address, port } }));
        const bytes = encode({ method: method.send, class: "indication", transactionId, attributes });
        const expected = { address: parseIp(address)?.text, port };
        expect(messageOf(bytes).peers).toEqual([expected, expected]);
      }),
    );
  });

  it("ignores attributes behind MESSAGE-INTEGRITY", () => {
    const signed = encode({ method: method.refresh, class: "request", transactionId, key: someKey });
    const bytes = Buffer.concat([signed, attributeBytes(attribute.lifetime, Buffer.alloc(4))]);
    bytes.writeUInt16BE(bytes.length - 20, 2);
    const message = messageOf(bytes);
    expect(message.lifetime).toBeUndefined();
    expect(integrityIsValid(message.bytes, message.integrityAt!, someKey)).toBe(true);
  });

  it("checks integrity over the bytes received, padding that is not zero included", () => {
    const bytes = encode({
      method: method.refresh,
      class: "request",
      transactionId,
      attributes: [{ type: attribute.username, value: "abcde" }],
    });
    bytes[bytes.length - 1] = 0xff;
    const signed = encode({ method: method.refresh, class: "request", transactionId, key: someKey });
    expect(messageOf(bytes).username).toBe("abcde");
    signed[signed.length - 1]! ^= 1;
    expect(integrityIsValid(signed, 20, someKey)).toBe(false);
  });

  it("names attributes that it must understand and does not", () => {
    const attributes = [0x07ad, 0x7fff, 0x8fff].map((type) => ({ type, raw: Buffer.alloc(4) }));
    const bytes = encode({ method: method.binding, class: "request", transactionId, attributes });
    expect(messageOf(bytes).unknown).toEqual([0x07ad, 0x7fff]);
  });

  it("drops a wrong fingerprint", () => {
    const bytes = encode({ method: method.binding, class: "request", transactionId, fingerprint: true });
    bytes[bytes.length - 1]! ^= 1;
    expect(decode(bytes)).toEqual({ kind: "drop", code: "stun-fingerprint" });
  });

  it("rejects a request whose attribute has an impossible length", () => {
    const attributes = [{ type: attribute.lifetime, raw: Buffer.alloc(2) }];
    const bytes = encode({ method: method.refresh, class: "request", transactionId, attributes });
    expect(decode(bytes)).toMatchObject({ kind: "reject", code: "400 attribute-length", method: method.refresh });
  });

  it("never throws, whatever bytes come", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        decode(Buffer.from(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it("never throws on attributes of any type and length", () => {
    const one = fc.tuple(
      fc.oneof(fc.integer({ min: 0, max: 0x30 }), fc.integer({ min: 0x8000, max: 0x8060 }), fc.nat(0xffff)),
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(3),
    );
    fc.assert(
      fc.property(fc.nat(0x3fff), fc.array(one, { maxLength: 8 }), (type, attributes) => {
        const body = attributes.map(([kind, value, wrong]) => {
          const bytes = attributeBytes(kind, Buffer.from(value));
          if (wrong === 0) bytes.writeUInt16BE((value.length + 3) & 0xffff, 2);
          return bytes;
        });
        const header = Buffer.alloc(20);
        header.writeUInt16BE(type, 0);
        header.writeUInt32BE(0x2112a442, 4);
        const bytes = Buffer.concat([header, ...body]);
        bytes.writeUInt16BE(bytes.length - 20, 2);
        decode(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  it("never throws on a mutated message", () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(rfc5769)), fc.nat(), fc.nat(255), (vector, at, value) => {
        const bytes = Buffer.from(vector);
        bytes[at % bytes.length] = value;
        decode(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it("bounds the number of attributes", () => {
    const attributes = Array.from({ length: 100 }, () => ({ type: 0x8fff, raw: Buffer.alloc(0) }));
    const bytes = encode({ method: method.binding, class: "request", transactionId: randomBytes(12), attributes });
    expect(decode(bytes)).toEqual({ kind: "drop", code: "stun-attribute-count" });
  });
});
