/** The test vectors of RFC 5769, by the relay's codec and by that of our clients. */
import { describe, expect, it } from "vitest";
import { rfc5769, sampleLongTermKey, shortTermKey } from "../../test/support/rfc5769.ts";
import { decode as decodeByPackage } from "../turn-client/codec.ts";
import { fingerprintIsValid, fingerprintOf, integrityIsValid, putIntegrity } from "./integrity.ts";
import type { HmacSha1 } from "./hmac-sha1.ts";
import { method, type Message } from "./message.ts";
import { decode } from "./reader.ts";

const byRelay = (bytes: Buffer): Message => {
  const decoded = decode(bytes);
  if (decoded.kind !== "message") throw new Error(decoded.code);
  return decoded;
};
const byClients = (bytes: Buffer): Message => {
  const decoded = decodeByPackage(bytes);
  if (decoded.kind !== "message") throw new Error(decoded.code);
  return decoded.message;
};

describe.each([
  ["the relay's codec", byRelay],
  ["the clients' codec", byClients],
])("%s", (_, messageOf) => {
  it("reads the sample request, and its integrity and fingerprint hold", () => {
    const message = messageOf(rfc5769.request);
    expect(message).toMatchObject({ method: method.binding, class: "request", username: "evtj:h6vY", unknown: [] });
    expect(message.transactionId.toString("hex")).toBe("b7e7a701bc34d686fa87dfae");
    expect(integrityIsValid(message.bytes, message.integrityAt!, shortTermKey)).toBe(true);
    expect(message.hasFingerprint).toBe(true);
    expect(fingerprintIsValid(message.bytes, message.bytes.length - 8)).toBe(true);
  });

  it("reads the IPv4 response", () => {
    const message = messageOf(rfc5769.ipv4);
    expect(message).toMatchObject({ class: "success", mapped: { address: "192.0.2.1", port: 32853 } });
    expect(integrityIsValid(message.bytes, message.integrityAt!, shortTermKey)).toBe(true);
  });

  it("reads the IPv6 response", () => {
    const message = messageOf(rfc5769.ipv6);
    expect(message.mapped).toEqual({ address: "2001:db8:1234:5678:11:2233:4455:6677", port: 32853 });
    expect(integrityIsValid(message.bytes, message.integrityAt!, shortTermKey)).toBe(true);
  });

  it("reads the request with long-term authentication", () => {
    const message = messageOf(rfc5769.longTerm);
    expect(message).toMatchObject({
      username: "マトリックス",
      nonce: "f//499k954d6OL34oL9FSTvy64sA",
      realm: "example.org",
      hasFingerprint: false,
    });
    expect(integrityIsValid(message.bytes, message.integrityAt!, sampleLongTermKey)).toBe(true);
  });
});

/** `bytes` up to its MESSAGE-INTEGRITY at `at`, with that made anew. */
const signed = (bytes: Buffer, at: number, key: HmacSha1): Buffer => {
  const made = Buffer.from(bytes.subarray(0, at + 24)).fill(0, at + 4);
  made.writeUInt16BE(made.length - 20, 2);
  putIntegrity(made, at, key);
  return made;
};

describe("MESSAGE-INTEGRITY and FINGERPRINT as the relay writes them", () => {
  it.each(["request", "ipv4", "ipv6"] as const)("are those of the sample %s", (name) => {
    const bytes = rfc5769[name];
    const at = bytes.length - 32;
    expect(signed(bytes, at, shortTermKey).toString("hex", at)).toBe(bytes.toString("hex", at, at + 24));
    expect(fingerprintOf(bytes, bytes.length - 8)).toBe(bytes.readUInt32BE(bytes.length - 4));
  });

  it("are those of the sample with long-term authentication", () => {
    const bytes = rfc5769.longTerm;
    expect(signed(bytes, bytes.length - 24, sampleLongTermKey)).toEqual(bytes);
  });
});
