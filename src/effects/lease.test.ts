import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startFakeApi, type FakeApi, type Scripted } from "../../test/support/fake-api.ts";
import type { Api } from "../kubernetes/api.ts";
import { holdLease, type Lease, type LeaseOptions } from "./lease.ts";
import { eventually, throughout } from "../../test/support/eventually.ts";

const PATH = "/apis/coordination.k8s.io/v1/leases";

let server: FakeApi;
let leases: Lease[] = [];
/** Who acquired and lost it, in this order. */
let order: string[] = [];

beforeEach(async () => {
  server = await startFakeApi();
  server.serve(PATH);
});
afterEach(async () => {
  server.answer({ status: 503, times: Number.POSITIVE_INFINITY });
  await Promise.all(leases.map((lease) => lease.release()));
  leases = [];
  order = [];
  await server.stop();
});

interface Candidate {
  readonly lease: Lease;
  readonly log: string[];
}

const stand = (holder: string, options: Partial<LeaseOptions> = {}, api: Api = server.connect()): Candidate => {
  const log: string[] = [];
  const lease = holdLease(api, {
    namespace: "ns",
    name: "turnpike",
    holder,
    durationSeconds: 1,
    renewDeadlineMs: 500,
    retryMs: 20,
    ...options,
    onAcquired: () => {
      log.push("acquired");
      order.push(`${holder} acquired`);
    },
    onLost: (reason) => {
      log.push(`lost: ${reason}`);
      order.push(`${holder} lost`);
    },
  });
  leases.push(lease);
  return { lease, log };
};

const specOf = () => server.objects(PATH)[0]?.["spec"] as Record<string, unknown> | undefined;

describe("a lease", () => {
  it("is held by one of those who want it, all the time", async () => {
    const all = ["a", "b", "c", "d"].map((holder) => stand(holder));
    const held = () => all.filter(({ lease }) => lease.isHeld);
    await eventually(() => expect(held()).toHaveLength(1));
    // Past its duration, so that only renewing keeps it.
    await throughout(1500, () => expect(held().length).toBeLessThanOrEqual(1));
    expect(held()).toHaveLength(1);
    expect(all.flatMap(({ log }) => log)).toEqual(["acquired"]);
    expect(specOf()).toMatchObject({ leaseTransitions: 0, leaseDurationSeconds: 1 });
  });

  it("is handed over at once when it is released", async () => {
    const first = stand("first");
    await eventually(() => expect(first.lease.isHeld).toBe(true));
    const second = stand("second", { durationSeconds: 3600 });
    const third = server.asked.length + 2;
    await eventually(() => expect(server.asked.length).toBeGreaterThan(third));
    await first.lease.release();
    expect(first.lease.isHeld).toBe(false);
    await eventually(() => expect(second.lease.isHeld).toBe(true));
    expect(specOf()).toMatchObject({ holderIdentity: "second", leaseTransitions: 1 });
  });

  it("keeps the labels and annotations that somebody else gave it", async () => {
    const metadata = { name: "turnpike", namespace: "ns", labels: { by: "Helm" }, annotations: { release: "r" } };
    server.put(PATH, { metadata });
    const { lease } = stand("a");
    await eventually(() => expect(lease.isHeld).toBe(true));
    await lease.release();
    expect(server.objects(PATH)[0]).toMatchObject({ metadata, spec: { holderIdentity: "" } });
  });

  it("is given back even if it was granted while it was released", async () => {
    server.answer({ of: ({ method }) => method === "POST", delayMs: 0 });
    server.answer({ of: ({ method }) => method === "GET", delayMs: 100, status: 404 });
    const { lease, log } = stand("a");
    await eventually(() => expect(server.asked).toHaveLength(1));
    await lease.release();
    expect(log).toEqual([]);
    expect(specOf()?.["holderIdentity"]).toBe("");
  });

  it("is left alone by whoever does not hold it and gives up", async () => {
    const first = stand("first");
    await eventually(() => expect(first.lease.isHeld).toBe(true));
    const second = stand("second");
    const asked = server.asked.length + 4;
    await eventually(() => expect(server.asked.length).toBeGreaterThan(asked));
    await second.lease.release();
    expect(specOf()?.["holderIdentity"]).toBe("first");
    expect(first.lease.isHeld).toBe(true);
  });

  it.each([
    ["refuses", { status: 500 } as const],
    ["says nothing", { instead: "silence" } as const],
    ["stops in the middle of its answers", { instead: "stall" } as const],
    ["breaks connections", { instead: "connection" } as const],
    [
      "reads, and does not write",
      { instead: "silence", of: ({ method }: { method: string }) => method === "PUT" } as const,
    ],
    ["is slow", { delayMs: 240, status: 500 } as const],
  ])("is given up by a holder whose server %s before another can take it over", async (_, script: Scripted) => {
    const first = stand("first", {}, server.connect("first"));
    await eventually(() => expect(first.lease.isHeld).toBe(true));
    const { of: matches = () => true } = script;
    server.answer({
      ...script,
      of: (asked) => asked.client === "first" && matches(asked),
      times: Number.POSITIVE_INFINITY,
    });
    const second = stand("second");
    await eventually(() => expect(second.lease.isHeld).toBe(true));
    expect(order).toEqual(["first acquired", "first lost", "second acquired"]);
    expect(first.log).toEqual(["acquired", expect.stringMatching(/^lost: the lease could not be renewed/)]);
  });

  it("survives failures that are shorter than the deadline", async () => {
    const first = stand("first");
    await eventually(() => expect(first.lease.isHeld).toBe(true));
    server.answer({ status: 500, times: 5 });
    const asked = server.asked.length + 12;
    await eventually(() => expect(server.asked.length).toBeGreaterThan(asked));
    expect(first.log).toEqual(["acquired"]);
  });

  it("is taken over once it has not been renewed for its duration, whatever the clock of its holder says", async () => {
    for (const renewTime of ["2001-01-01T00:00:00.000000Z", "2101-01-01T00:00:00.000000Z"]) {
      server.put(PATH, {
        metadata: { name: "turnpike", namespace: "ns" },
        spec: { holderIdentity: "gone", leaseDurationSeconds: 1, renewTime, leaseTransitions: 4 },
      });
      const startedAt = performance.now();
      const { lease } = stand("next");
      await eventually(() => expect(lease.isHeld).toBe(true));
      expect(performance.now() - startedAt).toBeGreaterThanOrEqual(1000);
      expect(specOf()).toMatchObject({ holderIdentity: "next", leaseTransitions: 5 });
      await lease.release();
    }
  });

  it("is not taken over early when this machine's clock is set forward", async () => {
    const first = stand("first");
    await eventually(() => expect(first.lease.isHeld).toBe(true));
    const second = stand("second");
    const asked = server.asked.length + 4;
    await eventually(() => expect(server.asked.length).toBeGreaterThan(asked));
    const now = Date.now();
    vi.spyOn(Date, "now").mockImplementation(() => now + 3_600_000);
    try {
      const more = server.asked.length + 8;
      await eventually(() => expect(server.asked.length).toBeGreaterThan(more));
    } finally {
      vi.restoreAllMocks();
    }
    expect([first.log, second.log]).toEqual([["acquired"], []]);
  });

  it("is lost to whoever took it, at the next look", async () => {
    const first = stand("first");
    await eventually(() => expect(first.lease.isHeld).toBe(true));
    const [present] = server.objects(PATH);
    server.put(PATH, { ...present!, spec: { holderIdentity: "thief", leaseDurationSeconds: 3600 } });
    await eventually(() => expect(first.log).toEqual(["acquired", "lost: thief holds the lease"]));
    expect(specOf()?.["holderIdentity"]).toBe("thief");
  });

  it("is not said to be lost by one who is giving it back, however long that takes", async () => {
    // Long: between the second question and the deadline this process may stand still, on a busy machine.
    const first = stand("first", { durationSeconds: 12, renewDeadlineMs: 6_000 });
    await eventually(() => expect(first.lease.isHeld).toBe(true));
    server.answer({ instead: "silence", times: Number.POSITIVE_INFINITY });
    // The first is given up after half of the deadline; the second lasts past it.
    const asked = server.asked.length;
    await eventually(() => expect(server.asked.length).toBeGreaterThan(asked + 1));
    await first.lease.release();
    expect(first.log).toEqual(["acquired"]);
    expect(first.lease.isHeld).toBe(false);
  });

  it("comes back to a holder that lost touch for a while", async () => {
    const first = stand("first");
    await eventually(() => expect(first.lease.isHeld).toBe(true));
    let isDown = true;
    server.answer({ of: () => isDown, status: 500, times: Number.POSITIVE_INFINITY });
    await eventually(() => expect(first.lease.isHeld).toBe(false));
    isDown = false;
    await eventually(() => expect(first.lease.isHeld).toBe(true));
    expect(first.log.map((one) => one.split(":")[0])).toEqual(["acquired", "lost", "acquired"]);
  });
});
