import { describe, expect, it } from "vitest";
import { placeByAddress, placeListener, placeOn } from "./placement.ts";

const locals = [
  { interface: "lo", address: "127.0.0.1", internal: true },
  { interface: "lo", address: "::1", internal: true },
  { interface: "eth0", address: "10.1.0.7", internal: false },
  { interface: "eth0", address: "fd00::7", internal: false },
  { interface: "eth1", address: "192.0.2.7", internal: false },
];
const both = (ipv4: string, ipv6: string) => ({
  4: { bind: ipv4, advertised: ipv4 },
  6: { bind: ipv6, advertised: ipv6 },
});

describe("a listener is placed", () => {
  it("on the pod's address, and on its other family's", () => {
    const placement = { relay: both("10.1.0.7", "fd00::7") };
    expect(placeByAddress({ address: "10.1.0.7" }, locals)).toEqual({ ...placement, bind: ["10.1.0.7", "fd00::7"] });
    expect(placeByAddress({ address: "fd00::7" }, locals)).toEqual({ ...placement, bind: ["fd00::7", "10.1.0.7"] });
  });

  it("on the one address that its interface has", () => {
    expect(placeByAddress({ address: "192.0.2.7" }, locals)).toEqual({
      bind: ["192.0.2.7"],
      relay: { 4: { bind: "192.0.2.7", advertised: "192.0.2.7" } },
    });
  });

  it("on loopback without the machine's other addresses", () => {
    expect(placeByAddress({ address: "127.0.0.1" }, locals).bind).toEqual(["127.0.0.1"]);
  });

  it("everywhere for a wildcard, relaying on an address that others can reach", () => {
    for (const address of ["0.0.0.0", "::"])
      expect(placeByAddress({ address }, locals)).toEqual({
        bind: ["0.0.0.0", "::"],
        relay: both("10.1.0.7", "fd00::7"),
      });
    expect(placeByAddress({ address: "0.0.0.0" }, locals.slice(0, 1))).toEqual({
      bind: ["0.0.0.0"],
      relay: { 4: { bind: "127.0.0.1", advertised: "127.0.0.1" } },
    });
  });

  it("everywhere, and advertises an address in front of this machine", () => {
    expect(placeByAddress({ address: "203.0.113.9" }, locals)).toEqual({
      bind: ["0.0.0.0", "::"],
      relay: { 4: { bind: "0.0.0.0", advertised: "203.0.113.9" }, 6: { bind: "fd00::7", advertised: "fd00::7" } },
    });
  });

  it("everywhere, and advertises an address of each family in front of this machine", () => {
    const listener = { address: "203.0.113.9", more_addresses: ["2001:db8::9"] };
    expect(placeByAddress(listener, locals)).toEqual({
      bind: ["0.0.0.0", "::"],
      relay: { 4: { bind: "0.0.0.0", advertised: "203.0.113.9" }, 6: { bind: "::", advertised: "2001:db8::9" } },
    });
    // An interface has the first, and nothing the second.
    expect(placeByAddress({ address: "10.1.0.7", more_addresses: ["2001:db8::9"] }, locals)).toEqual({
      bind: ["10.1.0.7", "fd00::7"],
      relay: { 4: { bind: "10.1.0.7", advertised: "10.1.0.7" }, 6: { bind: "fd00::7", advertised: "2001:db8::9" } },
    });
    // An interface has both, the second beside another one.
    const more = [...locals, { interface: "eth0", address: "2001:db8::9", internal: false }];
    expect(placeByAddress({ address: "10.1.0.7", more_addresses: ["2001:db8::9"] }, more)).toEqual({
      bind: ["10.1.0.7", "2001:db8::9"],
      relay: both("10.1.0.7", "2001:db8::9"),
    });
    // Without IPv6 there is nothing to translate it to.
    const ipv4 = locals.filter(({ address }) => !address.includes(":"));
    expect(placeByAddress(listener, ipv4).relay).toEqual({ 4: { bind: "0.0.0.0", advertised: "203.0.113.9" } });
  });

  it("where it is, and advertises other addresses of the families that it has", () => {
    expect(placeListener(placeOn(["127.0.0.1"]), { address: "" }, ["203.0.113.9", "2001:db8::9"])).toEqual({
      bind: ["127.0.0.1"],
      relay: { 4: { bind: "127.0.0.1", advertised: "203.0.113.9" } },
    });
  });

  it("where the command line says, whatever the config", () => {
    expect(placeListener(placeOn(["127.0.0.1", "::1"]), { address: "192.0.2.1" })).toEqual({
      bind: ["127.0.0.1", "::1"],
      relay: both("127.0.0.1", "::1"),
    });
  });
});
