import { hostAt } from "./own-host.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIp, type Ip } from "../net/ip.ts";
import { Admission } from "./admission.ts";
import { parseEndpoint } from "../net/endpoint.ts";

const ip = (text: string): Ip => parseIp(text)!;

const admission = (endpoints: Readonly<Record<string, readonly string[]>>, own: readonly string[] = []): Admission => {
  const made = new Admission(hostAt(own, [3478]));
  for (const [cluster, list] of Object.entries(endpoints))
    made.apply(list.map((endpoint) => ({ change: "admit", cluster, endpoint })));
  return made;
};

const ask = (from: Admission, peer: string, port?: number, routes: readonly string[] = ["ns/r"]): true | string => {
  const verdict = from.check("ns/gw/l", new Set(routes), ip(peer), port);
  return verdict.admitted || verdict.reason;
};

describe("endpoints", () => {
  it.each([
    ["1.2.3.4/16:<1-2>", 4, 16, 1, 2],
    ["1.2.3.4", 4, 32, 1, 65535],
    ["2001:db8:3333:4444:5555:6666:7777:8888/32:<1-2>", 6, 32, 1, 2],
    ["2001:db8:3333:4444:5555:6666:7777:8888", 6, 128, 1, 65535],
    ["::ffff:1.2.3.4", 4, 32, 1, 65535],
    ["::ffff:1.2.0.0/112", 4, 16, 1, 65535],
  ])("reads %s", (text, family, length, minPort, maxPort) => {
    expect(parseEndpoint(text)).toMatchObject({ text, family, length, minPort, maxPort });
  });

  it.each([":<1-65535>", "dummy", "1.2.3.4:5678", "1.2.3.4/33", "[::1]", "", "1.2.3.4:<1>"])("refuses %j", (text) => {
    expect(parseEndpoint(text)).toBeUndefined();
  });
});

describe("admission", () => {
  it("denies what nothing admits, and says so", () => {
    expect(ask(admission({}), "10.0.0.9")).toBe("no cluster routed by listener ns/gw/l contains 10.0.0.9");
    expect(ask(admission({ other: ["10.0.0.9"] }), "10.0.0.9")).toMatch(/^no cluster routed/);
  });

  it("checks the port when there is one", () => {
    const one = admission({ "ns/r": ["10.0.0.9:<100-200>"] });
    expect(ask(one, "10.0.0.9")).toBe(true);
    expect(ask(one, "10.0.0.9", 150)).toBe(true);
    expect(ask(one, "10.0.0.9", 99)).toBe("10.0.0.9 is in cluster ns/r but port 99 is outside 100-200");
  });

  it("consults every routed cluster", () => {
    const two = admission({ a: ["10.0.0.9:<1-10>"], b: ["10.0.0.0/8:<20-30>"] });
    expect(ask(two, "10.0.0.9", 25, ["a", "b"])).toBe(true);
    expect(ask(two, "10.0.0.9", 5, ["a", "b"])).toBe(true);
  });

  it.each([
    ["127.0.0.1", "loopback"],
    ["169.254.169.254", "link-local"],
    ["0.0.0.0", "unspecified"],
    ["255.255.255.255", "the broadcast address"],
    ["224.0.0.1", "multicast"],
    ["::1", "loopback"],
    ["fe80::1", "link-local"],
    ["fd00:ec2::254", "cloud metadata"],
    ["ff02::1", "multicast"],
    ["64:ff9b::a9fe:a9fe", "link-local"],
  ])("keeps %s closed to a wide prefix", (peer, label) => {
    const wide = admission({ "ns/r": ["0.0.0.0/0", "::/0"] });
    expect(ask(wide, peer)).toBe(`${peer} is ${label}: only an endpoint that names it admits it`);
    expect(ask(admission({ "ns/r": [peer] }), peer)).toBe(true);
    expect(ask(wide, "192.0.2.1")).toBe(true);
    expect(ask(wide, "2001:db8::1")).toBe(true);
  });

  it("opens a special block to an endpoint inside it, but not the metadata service", () => {
    const named = admission({ "ns/r": ["127.0.0.0/8", "169.254.0.0/16"] });
    expect(ask(named, "127.0.0.1")).toBe(true);
    expect(ask(named, "169.254.1.1")).toBe(true);
    expect(ask(named, "169.254.169.254")).toMatch(/link-local/);
  });

  it("opens of the relay's own machine, to a wide prefix, what takes datagrams and is no listener of the relay", () => {
    const own = ["10.1.0.1", "127.0.0.1"];
    const wide = admission({ "ns/r": ["0.0.0.0/0"] }, own);
    expect(ask(wide, "10.1.0.1")).toBe(true);
    expect(ask(wide, "10.1.0.1", 9000)).toBe(true);
    expect(ask(wide, "10.1.0.1", 3478)).toBe(
      "10.1.0.1 is the relay's own address, and port 3478 a listener's: only an endpoint that names it admits it",
    );
    expect(ask(wide, "127.0.0.1", 9000)).toBe(
      "127.0.0.1 is the relay's own address: only an endpoint that names it admits it",
    );
    const named = admission({ "ns/r": ["10.1.0.1", "127.0.0.1"] }, own);
    for (const peer of own) for (const port of [9000, 3478]) expect(ask(named, peer, port)).toBe(true);
  });

  it("keeps the relay's own machine closed over TCP unless an endpoint names the address", () => {
    const tcp = (endpoint: string): unknown => {
      const made = new Admission(hostAt(["10.1.0.1"]));
      made.apply([{ change: "admit", cluster: "ns/r", endpoint, protocol: "TCP" }]);
      return made.check("ns/gw/tcp", new Set(["ns/r"]), ip("10.1.0.1"), 8086, "TCP").admitted;
    };
    expect(tcp("0.0.0.0/0")).toBe(false);
    expect(tcp("10.1.0.1")).toBe(true);
  });

  it("keeps a draining endpoint admitted until it is revoked", () => {
    const one = admission({ "ns/r": ["10.0.0.9"] });
    one.apply([{ change: "drain", cluster: "ns/r", endpoint: "10.0.0.9" }]);
    expect(ask(one, "10.0.0.9")).toBe(true);
    expect(one.endpoints("ns/r").get("10.0.0.9")).toMatchObject({ draining: true });
    const { generation } = one;
    one.apply([{ change: "revoke", cluster: "ns/r", endpoint: "10.0.0.9" }]);
    expect(ask(one, "10.0.0.9")).not.toBe(true);
    expect(one.generation).toBeGreaterThan(generation);
  });

  it("takes IPv4-mapped addresses for the IPv4 addresses they are", () => {
    expect(ask(admission({ "ns/r": ["10.0.0.9"] }), "::ffff:10.0.0.9")).toBe(true);
    expect(ask(admission({ "ns/r": ["::/0"] }), "::ffff:127.0.0.1")).not.toBe(true);
  });

  it("agrees with a plain search through all endpoints, whatever came and went", () => {
    const octet = fc.nat(3);
    const address = fc.tuple(octet, octet).map(([a, b]) => `10.0.${a}.${b}`);
    const endpoint = fc
      .tuple(address, fc.constantFrom("", "/32", "/24", "/31", "/8"), fc.constantFrom("", ":<1-5>", ":<4-9>"))
      .map((parts) => parts.join(""));
    const change = fc.record({
      change: fc.constantFrom("admit" as const, "drain" as const, "revoke" as const),
      cluster: fc.constantFrom("a", "b"),
      endpoint,
    });
    const value = (text: string): number => text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 30 }),
        address,
        fc.integer({ min: 1, max: 10 }),
        (changes, peer, port) => {
          const made = new Admission(hostAt([]));
          const model = new Set<string>();
          for (const { change: kind, cluster, endpoint: text } of changes)
            if (kind === "revoke") model.delete(`${cluster} ${text}`);
            else model.add(`${cluster} ${text}`);
          for (const one of changes) made.apply([one]);
          const matches = [...model].some((entry) => {
            const [cluster, text = ""] = entry.split(" ");
            const [, base = "", length = "32", low = "1", high = "65535"] =
              /^([\d.]+)(?:\/(\d+))?(?::<(\d+)-(\d+)>)?$/.exec(text) ?? [];
            const size = 2 ** (32 - Number(length));
            const inside = Math.floor(value(base) / size) === Math.floor(value(peer) / size);
            return cluster === "a" && inside && port >= Number(low) && port <= Number(high);
          });
          expect(ask(made, peer, port, ["a"]) === true).toBe(matches);
        },
      ),
    );
  });

  it("admits 50,000 endpoints and none of their neighbors", () => {
    const list = Array.from({ length: 50_000 }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
    const many = admission({ "ns/r": list });
    const isAdmitted = (peer: string): boolean => ask(many, peer, 80, ["ns/r"]) === true;
    expect(list.filter((peer) => !isAdmitted(peer))).toEqual([]);
    // The address after the last one of the list, and one in each second octet beyond it.
    expect(["10.0.195.80", "10.1.0.0", "10.2.0.0", "11.0.0.0"].filter(isAdmitted)).toEqual([]);
  });
});
