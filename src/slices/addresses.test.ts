import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIp } from "../net/ip.ts";
import { specialBlock } from "../admission/special.ts";
import { createAddresses } from "./addresses.ts";

const coin = (prefix: string): boolean => ((createHash("sha256").update(prefix).digest()[0] ?? 0) & 1) === 1;
const { address, prefix } = createAddresses(coin);

const bits = (text: string): string => {
  const { family, value } = parseIp(text)!;
  return value.toString(2).padStart(family === 4 ? 32 : 128, "0");
};
const inCommon = (a: string, b: string): number => {
  const [one, other] = [bits(a), bits(b)];
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
};

const any = fc.oneof(fc.ipV4(), fc.ipV6());

describe("other addresses", () => {
  it("have in common what the originals have in common", () => {
    fc.assert(
      fc.property(fc.oneof(fc.tuple(fc.ipV4(), fc.ipV4()), fc.tuple(fc.ipV6(), fc.ipV6())), ([a, b]) => {
        if (parseIp(a)!.family !== parseIp(b)!.family) return;
        expect(inCommon(address(a)!, address(b)!)).toBe(inCommon(a, b));
      }),
    );
  });

  it("are special where the originals are, and only there", () => {
    fc.assert(
      fc.property(any, (text) => {
        expect(specialBlock(parseIp(address(text)!)!)?.label).toBe(specialBlock(parseIp(text)!)?.label);
      }),
    );
  });

  it.each([
    ["127.0.0.1", "127.0.0.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["169.254.169.254", "169.254.169.254"],
    ["100.100.100.200", "100.100.100.200"],
    ["255.255.255.255", "255.255.255.255"],
    ["::1", "::1"],
    ["fd00:ec2::254", "fd00:ec2::254"],
    ["10.20.30.40", /^10\.(?!20\.30\.40)/],
    ["192.168.7.9", /^192\.168\.(?!7\.9)/],
    ["172.20.1.2", /^172\.(1[6-9]|2\d|3[01])\./],
    ["8.8.8.8", /^(?!8\.8\.8\.8)/],
    ["fe80::1234:5678", /^fe[89ab]/],
    ["::ffff:10.1.2.3", /^::ffff:10\./],
    ["FD00:0:0:0:0:0:0:1", /^f[cd][0-9a-f:]*$/],
  ])("of %s is %s", (text, expected) => {
    if (typeof expected === "string") expect(address(text)).toBe(expected);
    else expect(address(text)).toMatch(expected);
  });

  it.each(["media", "10.0.0", "10.0.0.0.1", "", "1234", "a:b"])("are none where %j is none", (text) => {
    expect(address(text)).toBeUndefined();
    expect(prefix(text)).toBeUndefined();
  });

  it("of prefixes hold what the originals hold, and nothing stays anything", () => {
    expect(prefix("0.0.0.0/0")).toBe("0.0.0.0/0");
    expect(prefix("::/0")).toBe("::/0");
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 1, max: 32 }), (text, length) => {
        const [first = ""] = prefix(`${textOf(bits(text).slice(0, length).padEnd(32, "0"))}/${length}`)!.split("/");
        expect(inCommon(first, address(text)!)).toBeGreaterThanOrEqual(length);
        expect(bits(first).slice(length)).not.toContain("1");
      }),
    );
    expect(prefix("10.0.0.0/33")).toBeUndefined();
  });
});

const textOf = (thirtyTwo: string): string =>
  [0, 8, 16, 24].map((at) => Number.parseInt(thirtyTwo.slice(at, at + 8), 2)).join(".");
