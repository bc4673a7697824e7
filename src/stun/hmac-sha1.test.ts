import { createHmac, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { DIGEST_BYTES, HmacSha1 } from "./hmac-sha1.ts";

const hmacOf = (key: Uint8Array, bytes: Uint8Array): string => {
  const target = Buffer.alloc(DIGEST_BYTES + 2);
  new HmacSha1(key).sign(bytes, 0, bytes.length, target, 1);
  expect([target[0], target[DIGEST_BYTES + 1]]).toEqual([0, 0]);
  return target.toString("hex", 1, DIGEST_BYTES + 1);
};
const text = (value: string): Buffer => Buffer.from(value, "latin1");

describe("HMAC-SHA1", () => {
  // RFC 2202 §3.
  it.each([
    [Buffer.alloc(20, 0x0b), text("Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00"],
    [text("Jefe"), text("what do ya want for nothing?"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"],
    [Buffer.alloc(20, 0xaa), Buffer.alloc(50, 0xdd), "125d7342b9ac11cd91a39af48aa17b4f63f175d3"],
    [
      Buffer.alloc(80, 0xaa),
      text("Test Using Larger Than Block-Size Key - Hash Key First"),
      "aa4ae5e15272d00e95705637ce8a3b55ed402112",
    ],
  ])("is that of the published vector", (key, bytes, expected) => expect(hmacOf(key, bytes)).toBe(expected));

  it("is that of node:crypto for messages and keys of every length around a block", () => {
    for (let length = 0; length <= 200; length++) {
      const [key, bytes] = [randomBytes(length % 140), randomBytes(length)];
      expect(hmacOf(key, bytes)).toBe(createHmac("sha1", key).update(bytes).digest("hex"));
    }
  });

  it("matches its own value and no other, whole or cut short", () => {
    const hmac = new HmacSha1(text("key"));
    const bytes = randomBytes(100);
    const given = Buffer.alloc(DIGEST_BYTES + 4);
    hmac.sign(bytes, 10, 90, given, 4);
    expect(hmac.matches(bytes, 10, 90, given, 4)).toBe(true);
    expect(hmac.matches(bytes, 10, 90, given, 4, 9)).toBe(true);
    expect(hmac.matches(bytes, 10, 89, given, 4)).toBe(false);
    for (let index = 0; index < DIGEST_BYTES; index++) {
      const changed = Buffer.from(given);
      changed[4 + index] = (changed[4 + index] ?? 0) ^ 1;
      expect(hmac.matches(bytes, 10, 90, changed, 4)).toBe(false);
      expect(hmac.matches(bytes, 10, 90, changed, 4, index)).toBe(true);
    }
    // Cut off.
    expect(hmac.matches(bytes, 10, 90, given.subarray(0, DIGEST_BYTES), 4)).toBe(false);
  });
});
