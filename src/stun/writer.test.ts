import { describe, expect, it } from "vitest";
import { HmacSha1 } from "./hmac-sha1.ts";
import { attribute } from "./attributes.ts";
import { fingerprintIsValid, integrityIsValid } from "./integrity.ts";
import { method } from "./message.ts";
import { encode } from "./writer.ts";

const transactionId = Buffer.from("0123456789ab");
const key = new HmacSha1(Buffer.from("key"));
const binding = { method: method.binding, class: "success", transactionId } as const;

describe("a message", () => {
  it("has its attributes in the order in which they are given, padded with zeros", () => {
    // What was written before leaves nothing behind.
    encode({ ...binding, attributes: [{ type: attribute.data, value: Buffer.alloc(200, 0xff) }] });
    const bytes = encode({
      method: method.allocate,
      class: "error",
      transactionId,
      attributes: [
        { type: attribute.errorCode, code: 438 },
        { type: attribute.nonce, value: "é" },
        { type: attribute.unknownAttributes, value: [0x7fff] },
        { type: attribute.xorRelayedAddress, address: { address: "192.0.2.1", port: 7 } },
        { type: attribute.alternateServer, raw: Buffer.from([1]) },
        { type: attribute.xorRelayedAddress, address: { address: "::1", port: 7 } },
        { type: attribute.lifetime, value: 0xfffffffe },
      ],
    });
    expect(bytes.toString("hex")).toBe(
      [
        "0113004c2112a442303132333435363738396162",
        "0009000400000426",
        "00150002c3a90000",
        "000a00027fff0000",
        "0016000800012115e112a643",
        "8023000101000000",
        "001600140002211521",
        "12a442303132333435363738396163",
        "000d0004fffffffe",
      ].join(""),
    );
  });

  it("is signed and has a fingerprint over its own bytes", () => {
    const bytes = encode({
      ...binding,
      attributes: [{ type: attribute.realm, value: "r" }],
      key,
      fingerprint: true,
    });
    expect(bytes.readUInt16BE(2)).toBe(bytes.length - 20);
    expect(integrityIsValid(bytes, 28, key)).toBe(true);
    expect(fingerprintIsValid(bytes, bytes.length - 8)).toBe(true);
    bytes[26]! ^= 1;
    expect(integrityIsValid(bytes, 28, key)).toBe(false);
  });

  it("stays as it is when others are written, as a socket may not have sent it yet", () => {
    const first = encode({ ...binding, attributes: [{ type: attribute.realm, value: "first" }], key });
    const before = first.toString("hex");
    encode({ ...binding, attributes: [{ type: attribute.realm, value: "other" }], key, fingerprint: true });
    expect(first.toString("hex")).toBe(before);
  });

  it("has a link-local address without its zone, and none that is no IP address", () => {
    const of = (address: string): Buffer =>
      encode({ ...binding, attributes: [{ type: attribute.xorMappedAddress, address: { address, port: 7 } }] });
    expect(of("fe80::1%eth0")).toEqual(of("fe80::1"));
    expect(of("::ffff:192.0.2.1")).toEqual(of("192.0.2.1"));
    expect(of("example.org")).toHaveLength(20);
  });

  it("can be as long as a header can tell, and no longer", () => {
    const of = (bytes: number): Buffer =>
      encode({ ...binding, attributes: [{ type: attribute.data, value: Buffer.alloc(bytes) }] });
    expect(of(0xfffc - 4)).toHaveLength(20 + 0xfffc);
    expect(() => of(0xfffc - 3)).toThrow(RangeError);
    const text = { type: attribute.realm, value: "é".repeat(0x8000) };
    expect(() => encode({ ...binding, attributes: [text] })).toThrow(RangeError);
  });
});
