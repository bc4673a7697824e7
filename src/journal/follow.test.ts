import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Fact } from "./fact.ts";
import { followJournal } from "./follow.ts";
import { segmentsIn } from "./segment.ts";
import { openJournal } from "./writer.ts";
import { eventually } from "../../test/support/eventually.ts";

let folder: string;
let stop: AbortController;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "turnpike-follow-"));
  stop = new AbortController();
});
afterEach(() => {
  stop.abort();
  rmSync(folder, { recursive: true });
});

const note = (reason: string): Fact => ({ type: "watch.lost", data: { reason } });

/** What has been read so far, and whether all there is has been read. */
const follow = (path = folder) => {
  const seen: string[] = [];
  const state = { caughtUp: 0, error: undefined as unknown };
  const ended = (async () => {
    for await (const line of followJournal(path, { signal: stop.signal, onCaughtUp: () => (state.caughtUp += 1) }))
      seen.push(line.type === "watch.lost" ? line.data.reason : line.type);
  })().catch((error: unknown) => (state.error = error));
  const reads = (...expected: readonly string[]): Promise<void> => eventually(() => expect(seen).toEqual(expected));
  return { seen, state, ended, reads };
};

describe("following a log", () => {
  it("reads what is there, what comes, and on into the next segment", async () => {
    const journal = openJournal(folder, { segmentBytes: 1 });
    journal.append(note("one"), "test", null);
    journal.flush();
    const { reads, state } = follow();
    await reads("one");
    await eventually(() => expect(state.caughtUp).toBeGreaterThan(0));
    journal.append(note("two"), "test", null);
    journal.flush();
    await reads("one", "two");
    journal.rotate({});
    journal.append(note("three"), "test", null);
    journal.flush();
    journal.rotate({});
    journal.append(note("four"), "test", null);
    journal.close();
    await reads("one", "two", "snapshot", "three", "snapshot", "four");
  });

  it("waits for the rest of a line, and forgets one that a restart cuts off", async () => {
    const journal = openJournal(folder);
    journal.append(note("one"), "test", null);
    journal.close();
    const [segment = ""] = segmentsIn(folder);
    const whole = readFileSync(segment, "utf8");
    const next = whole.replace('"seq":1', '"seq":2').replace("one", "two");
    const { reads, state } = follow();
    await reads("one");
    appendFileSync(segment, next.slice(0, 30));
    const before = state.caughtUp;
    await eventually(() => expect(state.caughtUp).toBeGreaterThan(before));
    await reads("one");
    truncateSync(segment, whole.length);
    appendFileSync(segment, next.replace("two", "another"));
    await reads("one", "another");
  });

  it("reads a line of any length", async () => {
    const long = "x".repeat(5 << 20);
    const journal = openJournal(folder);
    for (const reason of ["one", long, "two"]) journal.append(note(reason), "test", null);
    journal.close();
    const { seen, reads } = follow();
    await reads("one", long, "two");
    expect(seen).toHaveLength(3);
  });

  it("goes on with a segment that a start has begun anew", async () => {
    const journal = openJournal(folder);
    journal.close();
    const { reads, state } = follow();
    await eventually(() => expect(state.caughtUp).toBeGreaterThan(0));
    const again = openJournal(folder);
    again.append(note("one"), "test", null);
    again.close();
    await reads("one");
  });

  it("ends when it is aborted, and at a line that cannot be read", async () => {
    openJournal(folder).close();
    const told = follow();
    await eventually(() => expect(told.state.caughtUp).toBeGreaterThan(0));
    stop.abort();
    await told.ended;
    expect(told.state.error).toBeUndefined();

    stop = new AbortController();
    const file = join(folder, "copy");
    writeFileSync(file, "{\n");
    const damaged = follow(file);
    await damaged.ended;
    expect(damaged.state.error).toMatchObject({ code: "journal-damaged" });
  });
});
