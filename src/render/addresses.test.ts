import { describe, expect, it } from "vitest";
import { gateway as gatewayWith } from "../../test/support/objects.ts";
import { gatewayAddress, ignoredAddresses, requestedAddress } from "./addresses.ts";

describe("an address", () => {
  it.each([
    ["192.0.2.1", "IPAddress", "192.0.2.1"],
    ["2001:db8::1", "IPAddress", "2001:db8::1"],
    ["[2001:db8::1]", "IPAddress", "2001:db8::1"],
    ["::ffff:192.0.2.1", "IPAddress", "::ffff:192.0.2.1"],
    ["node1.example.org", "Hostname", "node1.example.org"],
    ["Node1.Example.ORG.", "Hostname", "node1.example.org"],
    ["localhost", "Hostname", "localhost"],
    ["1.example", "Hostname", "1.example"],
  ])("%s is of type %s", (text, type, value) => expect(gatewayAddress(text)).toEqual({ type, value }));

  it.each([
    undefined,
    "",
    " ",
    "node_1.example.org",
    "-a.example.org",
    "a-.example.org",
    "a..b",
    ".",
    "*.example.org",
    "fe80::1%eth0",
    "010.0.0.1",
    "192.0.2.300",
    "192.0.2.1:3478",
    "bücher.example",
    `${"a".repeat(64)}.example`,
    `${"a.".repeat(127)}example`,
  ])("is not written where it is %j", (text) => expect(gatewayAddress(text)).toBeUndefined());
});

describe("the addresses of a Gateway's spec", () => {
  const asking = (...addresses: readonly { readonly type?: string; readonly value?: string }[]) => {
    const gateway = gatewayWith("gw");
    return { ...gateway, spec: { ...gateway.spec, addresses } };
  };

  it("are tried in order until one can be used", () => {
    const gateway = asking({ value: "turn_1" }, { type: "NamedAddress", value: "a" }, { value: "turn.example.org" });
    expect(requestedAddress(gateway)).toEqual({ type: "Hostname", value: "turn.example.org" });
    expect(ignoredAddresses(gateway)).toEqual([
      'spec.addresses[0] "turn_1" is neither an IP address nor a host name',
      'spec.addresses[1] "a" is of type NamedAddress, which is not supported',
    ]);
  });

  it("may be none, or ask for any address of a type", () => {
    expect(requestedAddress(gatewayWith("gw"))).toBeUndefined();
    expect(requestedAddress(asking({ type: "IPAddress" }))).toBeUndefined();
    expect(ignoredAddresses(asking({ type: "IPAddress" }))).toEqual([]);
  });
});
