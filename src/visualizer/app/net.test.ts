import fc from "fast-check";
import * as node from "node:net";
import { describe, expect, it } from "vitest";
import * as page from "./net.ts";

const texts = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.string(),
  fc.stringMatching(/^[0-9a-f:.]{0,40}$/),
  fc.ipV6().map((text) => `::ffff:${text}`),
);

describe("addresses in a browser", () => {
  it("are addresses where Node says so", () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect([page.isIPv4(text), page.isIPv6(text)]).toEqual([node.isIPv4(text), node.isIPv6(text)]);
      }),
      { numRuns: 2000 },
    );
  });

  it("have the text that Node gives them, but for IPv4 inside of IPv6", () => {
    fc.assert(
      fc.property(
        fc.ipV6().filter((text) => !text.includes(".")),
        (address) => {
          const theirs = new node.SocketAddress({ address, family: "ipv6" }).address;
          fc.pre(!theirs.includes("."));
          expect(new page.SocketAddress({ address, family: "ipv6" }).address).toBe(theirs);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
