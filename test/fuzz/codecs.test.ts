import { describe, expect, it } from "vitest";
import { addressValue, attribute } from "../../src/stun/attributes.ts";
import { method } from "../../src/stun/message.ts";
import { decode } from "../../src/stun/reader.ts";
import { encode } from "../../src/stun/writer.ts";
import { decode as decodeByPackage } from "../../src/turn-client/codec.ts";
import { randomFrom } from "../support/malformed.ts";
import { compareOnce, readDifference } from "./codecs.ts";

/** `npm run fuzz -- --messages N` compares as many as one likes. */
describe("the relay's codec and that of the stun package", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("agree on 25,000 messages, damaged messages and noise (seed %i)", (seed) => {
    const random = randomFrom(seed);
    const verdicts = new Set<string>();
    for (let count = 0; count < 25_000; count++) {
      const { bytes, difference } = compareOnce(random);
      if (difference !== undefined) throw new Error(`${difference}: ${bytes.toString("hex")}`);
      const decoded = decode(bytes);
      verdicts.add(decoded.kind === "message" ? "message" : decoded.code);
    }
    // Nothing that a reader says goes untried.
    expect([...verdicts].toSorted()).toEqual([
      "400 address-family",
      "400 attribute-length",
      "message",
      "stun-address-family",
      "stun-attribute-bounds",
      "stun-attribute-count",
      "stun-attribute-length",
      "stun-fingerprint",
      "stun-fingerprint-place",
      "stun-header",
      "stun-short",
    ]);
  });

  it.each(["request", "indication"] as const)("disagree about port 0 of a plain address in a %s", (kind) => {
    const raw = addressValue({ address: "192.0.2.1", port: 0 })!;
    const transactionId = Buffer.alloc(12, 1);
    const attributes = [{ type: attribute.mappedAddress, raw }];
    const bytes = encode({ method: method.binding, class: kind, transactionId, attributes });
    expect(decode(bytes).kind).toBe("message");
    expect(decodeByPackage(bytes)).toMatchObject({ code: kind === "request" ? "400 package" : "stun-package" });
    expect(readDifference(bytes)).toBeUndefined();
  });
});
