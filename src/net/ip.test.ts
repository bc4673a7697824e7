import * as node from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf, isIPv4, isIPv6, parseIp, putIp, textOfBytes } from "./ip.ts";

const texts = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.string(),
  fc.stringMatching(/^[0-9a-f:.]{0,40}$/),
  fc.ipV6().map((text) => `::ffff:${text}`),
);
/** Mostly zeros, so that each place for `::` comes up. */
const sixteenBytes = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => bytes.map((byte) => byte & (byte >> 4)));
const sparseBytes = fc
  .array(fc.constantFrom(0, 0, 0, 1, 0xff, 0xffff), { minLength: 8, maxLength: 8 })
  .map((words) => Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255])));

const textOfNode = (text: string) => new node.SocketAddress({ address: text, family: "ipv6" }).address;
const hexOf = (bytes: Uint8Array) =>
  Buffer.from(bytes)
    .toString("hex")
    .replaceAll(/(....)(?=.)/g, "$1:");

describe("IP literals", () => {
  it("are what Node takes, without zones", () =>
    fc.assert(
      fc.property(
        texts.filter((text) => !text.includes("%")),
        (text) => {
          expect([isIPv4(text), isIPv6(text)]).toEqual([node.isIPv4(text), node.isIPv6(text)]);
        },
      ),
      { numRuns: 5000 },
    ));

  it.each(["::ffff:192.0.2.1", "::", "1::", "::1", "1:2:3:4:5:6:7::", "64:ff9b::1.2.3.4"])("may be %s", (text) =>
    expect(isIPv6(text)).toBe(true),
  );

  it.each(["192.0.2.1::", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", ":::", "1:", "12345::", "fe80::1%eth0"])(
    "may not be %s",
    (text) => expect(isIPv6(text)).toBe(false),
  );

  it("have the text that Node gives them", () =>
    fc.assert(
      fc.property(fc.oneof(sixteenBytes, sparseBytes), (bytes) => {
        const hex = hexOf(bytes);
        expect(textOfBytes(bytes, 0, 16)).toBe(textOfNode(hex));
        expect(parseIp(hex)?.text).toBe(textOfNode(hex).replace(/^::ffff:(?=.*\.)/, ""));
      }),
      { numRuns: 5000 },
    ));

  it("have a value that gives their bytes back", () =>
    fc.assert(
      fc.property(fc.oneof(sixteenBytes, sparseBytes), (bytes) => {
        const ip = parseIp(hexOf(bytes))!;
        expect(Buffer.from(bytesOf(ip))).toEqual(Buffer.from(bytes).subarray(ip.family === 4 ? 12 : 0));
      }),
    ));

  it("lose their zone", () => expect(parseIp("fe80::1%eth0")).toEqual(parseIp("fe80::1")));
});

describe("the bytes of a literal, written where they belong", () => {
  const written = (text: string): readonly number[] => {
    const target = new Uint8Array(20);
    return [...target.subarray(2, 2 + putIp(text, target, 2))];
  };
  const parsed = (text: string): readonly number[] => {
    const ip = parseIp(text);
    return ip === undefined ? [] : [...bytesOf(ip)];
  };

  it("are those of the parsed address, for any text", () => {
    const any = fc.oneof(texts, fc.stringMatching(/^[0-9.]{0,16}$/));
    fc.assert(
      fc.property(any, (text) => {
        expect(written(text), text).toEqual(parsed(text));
      }),
      { numRuns: 10_000 },
    );
  });

  it.each([
    "0.0.0.0",
    "255.255.255.255",
    "256.0.0.1",
    "01.2.3.4",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.4.",
    ".1.2.3.4",
    "1..2.3",
    "1.2.3.004",
    "fe80::1%eth0",
    "::ffff:1.2.3.4",
    "::1.2.3.4",
    "1.2.3.4%eth0",
    "",
    " 1.2.3.4",
    "1.2.3.٤",
  ])("of %j", (text) => expect(written(text)).toEqual(parsed(text)));
});
