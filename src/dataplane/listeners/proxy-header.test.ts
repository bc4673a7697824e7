import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { localHeader, PROXY_SIGNATURE, proxyHeader } from "../../../test/support/proxy-header.ts";
import { proxyHeaderOf, readProxyHeader, type ProxyHeader } from "./proxy-header.ts";

const ports = fc.integer({ min: 1, max: 65_535 });
const addresses = fc.oneof(
  fc.tuple(fc.ipV4(), fc.ipV4()),
  fc
    .tuple(
      fc
        .uint8Array({ minLength: 16, maxLength: 16 })
        .map((bytes) => `20${Buffer.from(bytes).toString("hex").slice(2)}`),
      fc.constant("2001:db8::1"),
    )
    .map(([hex, other]): [string, string] => [hex.match(/.{4}/g)!.join(":"), other]),
);

describe("a PROXY header", () => {
  it("is read back as it was written, whatever follows, and asked for more as long as it is not whole", () => {
    fc.assert(
      fc.property(addresses, ports, ports, fc.uint8Array({ maxLength: 64 }), ([from, to], a, b, tail) => {
        const header = proxyHeader({ address: from, port: a }, { address: to, port: b }, Buffer.from(tail));
        const read = readProxyHeader(Buffer.concat([header, Buffer.from("behind")]));
        expect(read).toMatchObject({
          length: header.length,
          addresses: { source: { port: a }, destination: { port: b } },
        });
        if (from.includes(".")) expect(read).toMatchObject({ addresses: { source: { address: from } } });
        for (let cut = 0; cut < header.length; cut++) expect(readProxyHeader(header.subarray(0, cut))).toBe("more");
      }),
    );
  });

  it("never throws, and is never longer than 4096 bytes, whatever comes", () => {
    const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    const close = noise.map((bytes) => Buffer.concat([PROXY_SIGNATURE, bytes]));
    const damaged = fc.tuple(fc.nat(), fc.nat(255)).map(([at, to]) => {
      const bytes = proxyHeader({ address: "192.0.2.1", port: 9 }, { address: "192.0.2.2", port: 9 });
      bytes[at % bytes.length] = to;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(noise, close, damaged), (bytes) => {
        const read = readProxyHeader(bytes);
        if (typeof read === "object") expect(read.length).toBeLessThanOrEqual(Math.min(bytes.length, 4096));
      }),
      { numRuns: 2000 },
    );
  });

  it("may say that the load balancer speaks for itself, or for nobody it can name", () => {
    expect(readProxyHeader(localHeader)).toEqual({ length: 16 });
    expect(readProxyHeader(Buffer.concat([PROXY_SIGNATURE, Buffer.from([0x21, 0, 0, 0])]))).toEqual({ length: 16 });
  });

  it.each(["v1", "v2"] as const)("of version %s is read back as the relay writes it, for every length", (version) => {
    fc.assert(
      fc.property(addresses, ports, ports, ([from, to], a, b) => {
        const sent = { source: { address: from, port: a }, destination: { address: to, port: b } };
        const header = proxyHeaderOf(version, sent);
        const read = readProxyHeader(Buffer.concat([header, Buffer.from("\r\n")]));
        expect(read).toMatchObject({ length: header.length });
        expect(proxyHeaderOf(version, (read as Required<ProxyHeader>).addresses)).toEqual(header);
        for (let cut = 0; cut < header.length; cut++) expect(readProxyHeader(header.subarray(0, cut))).toBe("more");
      }),
    );
  });

  it("names nobody where the two addresses are of different families, and is empty if none is asked for", () => {
    const mixed = { source: { address: "2001:db8::1", port: 9 }, destination: { address: "192.0.2.2", port: 9 } };
    expect(readProxyHeader(proxyHeaderOf("v2", mixed))).toEqual({ length: 16 });
    expect(proxyHeaderOf("v1", mixed).toString()).toBe("PROXY UNKNOWN\r\n");
    expect(readProxyHeader(Buffer.from("PROXY UNKNOWN ff:: ff:: 1 2\r\n"))).toEqual({ length: 29 });
    expect(proxyHeaderOf("none", mixed)).toHaveLength(0);
  });

  it.each([
    ["version 1 with a name", Buffer.from("PROXY TCP4 localhost 192.0.2.2 9 9\r\n")],
    ["version 1 with another family", Buffer.from("PROXY TCP6 192.0.2.1 192.0.2.2 9 9\r\n")],
    ["version 1 from port 0", Buffer.from("PROXY TCP4 192.0.2.1 192.0.2.2 0 9\r\n")],
    ["version 1 with a port too high", Buffer.from("PROXY TCP4 192.0.2.1 192.0.2.2 9 65536\r\n")],
    ["version 1 over UDP", Buffer.from("PROXY UDP4 192.0.2.1 192.0.2.2 9 9\r\n")],
    ["version 1 without an end", Buffer.from(`PROXY TCP4 ${"1".repeat(200)}`)],
    ["another version", Buffer.concat([PROXY_SIGNATURE, Buffer.from([0x31, 0x11, 0, 12]), Buffer.alloc(12, 1)])],
    ["datagrams", Buffer.concat([PROXY_SIGNATURE, Buffer.from([0x21, 0x12, 0, 12]), Buffer.alloc(12, 1)])],
    ["too short for its addresses", Buffer.concat([PROXY_SIGNATURE, Buffer.from([0x21, 0x11, 0, 11])])],
    ["too long", Buffer.concat([PROXY_SIGNATURE, Buffer.from([0x21, 0x11, 0xff, 0xff])])],
    ["from port 0", proxyHeader({ address: "192.0.2.1", port: 0 }, { address: "192.0.2.2", port: 9 })],
    ["STUN", Buffer.from("000100002112a442000000000000000000000000", "hex")],
  ])("is refused: %s", (_, bytes) => {
    expect(readProxyHeader(bytes)).toBe("invalid");
  });
});
