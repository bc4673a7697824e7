import { isIP as nodeIsIP } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isIPv4, isIPv6 } from "./ip.ts";

describe("IP literals", () => {
  it("are told as Node tells them, zones aside", () =>
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{0,20}$/)), (text) => {
        expect(isIPv4(text)).toBe(nodeIsIP(text) === 4);
        expect(isIPv6(text)).toBe(nodeIsIP(text) === 6);
      }),
      { numRuns: 2000 },
    ));

  it.each(["::ffff:192.0.2.1", "::", "1::", "::1", "1:2:3:4:5:6:7::", "64:ff9b::1.2.3.4"])("may be %s", (text) =>
    expect(isIPv6(text)).toBe(true),
  );

  it.each(["192.0.2.1::", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", ":::", "1:", "12345::"])("may not be %s", (text) =>
    expect(isIPv6(text)).toBe(false),
  );
});
