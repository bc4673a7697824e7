/** The test vector of RFC 8489, appendix B.1, as corrected by erratum 6268, and signatures with SHA-256 in general. */
import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { attribute } from "./attributes.ts";
import { HmacSha1 } from "./hmac-sha1.ts";
import { HmacSha256 } from "./hmac-sha256.ts";
import { fingerprintIsValid, integrityIsValid, putIntegrity } from "./integrity.ts";
import { isSigned, method } from "./message.ts";
import { integrityKey } from "./password-algorithms.ts";
import { decode, type ReceivedMessage } from "./reader.ts";
import { encode } from "./writer.ts";

const sample = Buffer.from(
  "000100902112a44278ad3433c6ad72c029da412e" +
    "001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704" +
    "001500296f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c39465354767936347341000000" +
    "0014000b6578616d706c652e6f726700" +
    "001d000400020000" +
    "001c0020b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65",
  "hex",
);

const messageOf = (bytes: Buffer): ReceivedMessage => {
  const decoded = decode(bytes);
  if (decoded.kind !== "message") throw new Error(decoded.code);
  return decoded;
};

const key = new HmacSha256(Buffer.from("key"));

describe("the sample request", () => {
  const sampleKey = integrityKey("sha256", "sha256", "マトリックス", "example.org", "TheMatrIX");

  it("is read, and its integrity holds", () => {
    const message = messageOf(sample);
    expect(message).toMatchObject({
      method: method.binding,
      realm: "example.org",
      nonce: "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA",
      passwordAlgorithm: Buffer.from("00020000", "hex"),
      integrityAt: undefined,
      unknown: [],
    });
    expect(isSigned(sample)).toBe(true);
    expect(integrityIsValid(sample, message.integritySha256At!, sampleKey)).toBe(true);
  });

  it("is signed by the relay in the same way", () => {
    const made = Buffer.from(sample).fill(0, sample.length - 32);
    putIntegrity(made, made.length - 36, sampleKey);
    expect(made).toEqual(sample);
  });

  it("is not valid with another password, algorithm or byte", () => {
    const at = messageOf(sample).integritySha256At!;
    const otherPassword = integrityKey("sha256", "sha256", "マトリックス", "example.org", "TheMatrix");
    const otherAlgorithm = integrityKey("sha256", "md5", "マトリックス", "example.org", "TheMatrIX");
    for (const other of [otherPassword, otherAlgorithm]) expect(integrityIsValid(sample, at, other)).toBe(false);
    for (const index of [9, 30, sample.length - 1]) {
      const changed = Buffer.from(sample);
      changed[index]! ^= 1;
      expect(integrityIsValid(changed, at, sampleKey)).toBe(false);
    }
  });
});

describe("MESSAGE-INTEGRITY-SHA256", () => {
  const transactionId = Buffer.from("0123456789ab");
  const written = encode({
    method: method.allocate,
    class: "request",
    transactionId,
    attributes: [{ type: attribute.username, value: "alice" }],
    key,
    fingerprint: true,
  });

  it("is written before FINGERPRINT, as HMAC-SHA256 over what precedes it", () => {
    const message = messageOf(written);
    expect(message).toMatchObject({ username: "alice", hasFingerprint: true, integrityAt: undefined });
    const at = message.integritySha256At!;
    const covered = Buffer.from(written.subarray(0, at));
    covered.writeUInt16BE(at + 36 - 20, 2);
    expect(written.toString("hex", at + 4, at + 36)).toBe(createHmac("sha256", "key").update(covered).digest("hex"));
    expect(integrityIsValid(written, at, key)).toBe(true);
    expect(fingerprintIsValid(written, written.length - 8)).toBe(true);
  });

  /** `bytes` with an attribute after them. */
  const followedBy = (bytes: Buffer, type: number, value: Buffer): Buffer => {
    const longer = Buffer.concat([bytes, Buffer.from([type >> 8, type & 255, 0, value.length]), value]);
    longer.writeUInt16BE(longer.length - 20, 2);
    return longer;
  };
  const plain = encode({ method: method.allocate, class: "request", transactionId, attributes: [] });

  it.each([16, 20, 24, 28, 32])("may have %i bytes", (length) => {
    const empty = followedBy(plain, attribute.messageIntegritySha256, Buffer.alloc(length));
    const digest = createHmac("sha256", "key").update(empty.subarray(0, 20)).digest();
    digest.copy(empty, 24, 0, length);
    expect(integrityIsValid(empty, messageOf(empty).integritySha256At!, key)).toBe(true);
    empty[24 + length - 1]! ^= 1;
    expect(integrityIsValid(empty, 20, key)).toBe(false);
  });

  it.each([0, 4, 12, 36])("must not have %i bytes", (length) => {
    expect(decode(followedBy(plain, attribute.messageIntegritySha256, Buffer.alloc(length)))).toEqual({
      kind: "drop",
      code: "stun-attribute-length",
    });
  });

  it("may follow MESSAGE-INTEGRITY; other attributes after either are ignored", () => {
    const sha1 = new HmacSha1(Buffer.from("key"));
    const first = encode({ method: method.allocate, class: "request", transactionId, attributes: [], key: sha1 });
    const both = followedBy(first, attribute.messageIntegritySha256, Buffer.alloc(32));
    putIntegrity(both, first.length, key);
    const bytes = followedBy(both, attribute.lifetime, Buffer.from([0, 0, 0, 9]));
    const message = messageOf(bytes);
    expect(message.lifetime).toBeUndefined();
    expect(integrityIsValid(bytes, message.integrityAt!, sha1)).toBe(true);
    expect(integrityIsValid(bytes, message.integritySha256At!, key)).toBe(true);
    const only = messageOf(followedBy(written.subarray(0, -8), attribute.lifetime, Buffer.from([0, 0, 0, 9])));
    expect(only.lifetime).toBeUndefined();
  });
});
