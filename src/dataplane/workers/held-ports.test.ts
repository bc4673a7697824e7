import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { maxReservations, reservationMilliseconds } from "../limits.ts";
import type { HeldPort } from "../engines/engine.ts";
import { createHeldPorts, type HeldPorts } from "./held-ports.ts";

const port = (fd: number): HeldPort => ({
  fd,
  address: { bind: "127.0.0.1", advertised: "127.0.0.1" },
  port: 40_000 + fd,
});

describe("ports held for all threads", () => {
  let closed: number[];
  let held: HeldPorts;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    closed = [];
    held = createHeldPorts({ close: (fd) => void closed.push(fd) });
  });
  afterEach(() => {
    held.close();
    vi.useRealTimers();
  });

  it("go to whichever thread has the token, once, and belong to one at a time", async () => {
    const [first, second] = [new Uint8Array(16), new Uint8Array(16)];
    first[7] = 1;
    const token = await held.of(first).hold(port(7));
    expect(first[7]).toBe(0);
    expect(await held.of(second).take(new Uint8Array(8))).toBeUndefined();
    expect(await held.of(second).take(token!)).toEqual(port(7));
    expect(second[7]).toBe(1);
    expect(await held.of(first).take(token!)).toBeUndefined();
    expect(closed).toEqual([]);
  });

  it("are closed when nobody comes for them in time", async () => {
    const token = await held.of().hold(port(3));
    vi.advanceTimersByTime(reservationMilliseconds - 1000);
    await held.of().hold(port(4));
    expect(closed).toEqual([]);
    vi.advanceTimersByTime(2000);
    expect(closed).toEqual([3]);
    expect(await held.of().take(token!)).toBeUndefined();
    held.close();
    expect(closed).toEqual([3, 4]);
  });

  it("are bounded in number: one too many stays with the thread that has it", async () => {
    const descriptors = new Uint8Array(maxReservations + 1).fill(1);
    const thread = held.of(descriptors);
    for (let fd = 0; fd < maxReservations; fd += 1) expect(await thread.hold(port(fd))).toBeDefined();
    expect(await thread.hold(port(maxReservations))).toBeUndefined();
    expect(descriptors[maxReservations]).toBe(1);
  });
});
