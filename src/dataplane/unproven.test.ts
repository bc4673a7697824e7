import { describe, expect, it } from "vitest";
import { UnprovenSources } from "./unproven.ts";

const countOf = (sources: UnprovenSources, address: string, kind: "challenge" | "binding", now: number): number => {
  let count = 0;
  while (count < 10_000 && sources.take(address, kind, now)) count++;
  return count;
};

describe("an address that has proven nothing", () => {
  it("gets a few challenges at once, and then four a second", () => {
    const sources = new UnprovenSources(4);
    expect(countOf(sources, "192.0.2.1", "challenge", 1000)).toBe(32);
    expect(countOf(sources, "192.0.2.1", "challenge", 2000)).toBe(4);
    expect(countOf(sources, "192.0.2.1", "challenge", 2250)).toBe(1);
    expect(countOf(sources, "192.0.2.1", "challenge", 3_600_000)).toBe(32);
  });

  it("gets more answers to Binding requests, and does not lose its challenges by them", () => {
    const sources = new UnprovenSources(4);
    expect(countOf(sources, "192.0.2.1", "binding", 0)).toBe(512);
    expect(countOf(sources, "192.0.2.1", "binding", 1000)).toBe(64);
    expect(countOf(sources, "192.0.2.1", "challenge", 1000)).toBe(32);
  });

  it("takes nothing away from others", () => {
    const sources = new UnprovenSources(4);
    for (let last = 1; last < 100; last++) countOf(sources, `192.0.2.${last}`, "challenge", 0);
    // One of a hundred may share a slot.
    const left = Array.from({ length: 100 }, (_, last) => countOf(sources, `198.51.100.${last}`, "challenge", 0));
    expect(left.filter((count) => count === 32).length).toBeGreaterThan(90);
  });

  it("is one with its neighbours in an IPv6 /64", () => {
    const sources = new UnprovenSources(4);
    expect(countOf(sources, "2001:db8:1:2::1", "challenge", 0)).toBe(32);
    expect(countOf(sources, "2001:db8:1:2:3:4:5:6", "challenge", 0)).toBe(0);
    expect(countOf(sources, "2001:db8:1:3::1", "challenge", 0)).toBe(32);
  });

  it("has no limit for ten minutes after a request from it was authenticated", () => {
    const sources = new UnprovenSources(4);
    countOf(sources, "192.0.2.1", "challenge", 0);
    sources.prove("192.0.2.1", 0);
    expect(countOf(sources, "192.0.2.1", "challenge", 599_999)).toBe(10_000);
    expect(countOf(sources, "192.0.2.1", "challenge", 600_000)).toBe(32);
  });

  it.each([
    ["on loopback", 4, "127.0.0.1"],
    ["on loopback", 4, "::1"],
    ["without a limit", 0, "192.0.2.1"],
  ])("is not limited %s", (_, perSecond, address) => {
    expect(countOf(new UnprovenSources(perSecond), address, "challenge", 0)).toBe(10_000);
  });
});
