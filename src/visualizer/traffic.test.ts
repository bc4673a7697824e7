import { describe, expect, it } from "vitest";
import type { AllocationState, RelayState } from "../dataplane/relay.ts";
import { createCalmReader, trafficOf } from "./traffic.ts";

const allocation = (id: number, peers: readonly string[] = []): AllocationState =>
  ({
    id,
    gateway: "ns/gw",
    listener: "ns/gw/udp",
    user: `user-${id % 3}`,
    client: `192.0.2.${id % 250}:5000`,
    relayed: `203.0.113.1:${id}`,
    openedAt: id,
    permissions: peers.map((peer) => ({ peer, expiresAt: 0 })),
  }) as unknown as AllocationState;

const stateOf = (allocations: readonly AllocationState[]): RelayState =>
  ({ listeners: [], clusters: [], allocations }) as unknown as RelayState;

const all = { match: "", show: Infinity, peers: [] };

describe("traffic", () => {
  it("shows the latest allocations, no more than fit on a page, and counts all", async () => {
    const read = createCalmReader(() =>
      Promise.resolve(stateOf(Array.from({ length: 1000 }, (_, id) => allocation(id)))),
    );
    const { allocations } = trafficOf(await read(), all);
    expect([allocations.total, allocations.matching, allocations.shown.length]).toEqual([1000, 1000, 200]);
    expect(allocations.shown[0]!.id).toBe(999);
    const found = trafficOf(await read(), { ...all, match: "user-1", show: 3 }).allocations;
    expect([found.total, found.matching, found.shown.map(({ id }) => id)]).toEqual([1000, 333, [997, 994, 991]]);
  });

  it("counts the calls to the peers that are asked about, also of allocations that are not shown", async () => {
    const many = Array.from({ length: 500 }, (_, id) =>
      allocation(id, id % 2 === 0 ? ["10.0.0.1"] : ["10.0.0.2", "10.0.0.1"]),
    );
    const read = createCalmReader(() => Promise.resolve(stateOf(many)));
    const { calls } = trafficOf(await read(), { ...all, show: 0, peers: ["10.0.0.1", "10.0.0.2", "10.0.0.3"] });
    expect(calls).toEqual({ "10.0.0.1": 500, "10.0.0.2": 250, "10.0.0.3": 0 });
  });

  it("is read so seldom that reading takes a 400th of the time, however many ask", async () => {
    let [now, reads] = [0, 0];
    const read = createCalmReader(
      () => {
        reads += 1;
        now += 20;
        return Promise.resolve(stateOf([]));
      },
      () => now,
    );
    await Promise.all([read(), read(), read()]);
    expect(reads).toBe(1);
    now = 20 + 7999;
    await read();
    expect(reads).toBe(1);
    now += 1;
    await read();
    expect(reads).toBe(2);
  });

  it("is read anew after it could not be", async () => {
    let [now, fails] = [0, true];
    const read = createCalmReader(
      () => (fails ? Promise.reject(new Error("gone")) : Promise.resolve(stateOf([]))),
      () => now,
    );
    await expect(read()).rejects.toThrow("gone");
    fails = false;
    now = 1000;
    expect((await read()).state.allocations).toEqual([]);
  });
});
