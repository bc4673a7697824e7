import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { aCall, slice } from "../../test/support/objects.ts";
import { replay } from "../core/replay.ts";
import { standaloneOptions } from "../runtime/options.ts";
import { createLoop } from "../runtime/loop.ts";
import { digest } from "./digest.ts";
import type { Fact, JournalLine } from "./fact.ts";
import { readJournal } from "./reader.ts";
import { segmentName, segmentsIn, type Beginning } from "./segment.ts";
import { openJournal, type WriterOptions } from "./writer.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "turnpike-journal-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const note = (n: number): Fact => ({ type: "watch.lost", data: { reason: `number ${n}` } });
const reasons = (lines: Iterable<JournalLine>): readonly string[] =>
  [...lines].flatMap((line) => (line.type === "watch.lost" ? [line.data.reason] : []));
const write = (count: number, options: WriterOptions = {}): void => {
  const journal = openJournal(folder, options);
  for (let n = 1; n <= count; n += 1) journal.append(note(n), "test", n === 1 ? null : n - 1);
  journal.close();
};

describe("the journal", () => {
  it("gives back what was put in, in one numbered envelope", () => {
    write(3);
    expect(
      [...readJournal(folder)].map(({ v, seq, source, cause, type }) => ({ v, seq, source, cause, type })),
    ).toEqual([
      { v: 1, seq: 1, source: "test", cause: null, type: "watch.lost" },
      { v: 1, seq: 2, source: "test", cause: 1, type: "watch.lost" },
      { v: 1, seq: 3, source: "test", cause: 2, type: "watch.lost" },
    ]);
  });

  it("numbers on after a restart", () => {
    write(3);
    write(2);
    expect([...readJournal(folder)].map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  });

  it("reads and goes on from a log cut off at any byte", () => {
    write(3);
    const [segment = ""] = segmentsIn(folder);
    const whole = readFileSync(segment);
    for (let bytes = 0; bytes <= whole.length; bytes += 1) {
      writeFileSync(segment, whole.subarray(0, bytes));
      const lines = whole.subarray(0, bytes).toString().split("\n").length - 1;
      let torn = 0;
      expect([...readJournal(folder, { onTorn: (_, count) => (torn = count) })]).toHaveLength(lines);
      expect(torn).toBe(bytes - (whole.subarray(0, bytes).lastIndexOf(10) + 1));

      const journal = openJournal(folder);
      expect(journal.tornBytes).toBe(torn);
      expect(journal.append(note(9), "test", null).seq).toBe(lines + 1);
      journal.close();
      expect([...readJournal(folder)].map(({ seq }) => seq)).toEqual(
        Array.from({ length: lines + 1 }, (_, i) => i + 1),
      );
      for (const file of segmentsIn(folder)) rmSync(file);
      writeFileSync(segment, whole);
    }
  });

  it("names the line that is damaged in the middle of a log", () => {
    write(3);
    const [segment = ""] = segmentsIn(folder);
    writeFileSync(segment, readFileSync(segment, "utf8").replace('"seq":2', '"seq":2 oops'));
    expect(() => [...readJournal(folder)]).toThrow(/000000000001\.jsonl:2: not JSON/);
  });

  it("notices a line that is missing", () => {
    write(3);
    const [segment = ""] = segmentsIn(folder);
    writeFileSync(segment, readFileSync(segment, "utf8").split("\n").toSpliced(1, 1).join("\n"));
    expect(() => [...readJournal(folder)]).toThrow(/sequence number 3 where 2 was due/);
  });

  it("refuses a log of a newer release", () => {
    write(1);
    const [segment = ""] = segmentsIn(folder);
    writeFileSync(segment, readFileSync(segment, "utf8").replace('"v":1', '"v":99'));
    expect(() => [...readJournal(folder)]).toThrow(expect.objectContaining({ code: "journal-version" }));
  });

  it("lets only one process write, and takes over from one that is dead", () => {
    const journal = openJournal(folder);
    const start = readFileSync(`/proc/${process.ppid}/stat`, "utf8").split(") ").at(-1)!.split(" ")[19]!;
    writeFileSync(join(folder, "lock"), `${process.ppid} ${start}`);
    expect(() => openJournal(folder)).toThrow(expect.objectContaining({ code: "journal-busy" }));
    journal.close();
    writeFileSync(join(folder, "lock"), "999999999 1");
    openJournal(folder).close();
    // The number is in use again, by another process.
    writeFileSync(join(folder, "lock"), `${process.ppid} 1`);
    openJournal(folder).close();
  });

  it("takes nothing once it is closed, and leaves alone whoever has its descriptor next", () => {
    const journal = openJournal(folder);
    journal.append(note(1), "test", null);
    journal.close();
    const other = join(folder, "other");
    // The lowest descriptor that is free is the one that was closed.
    const fd = openSync(other, "w");
    journal.append(note(2), "test", null);
    journal.flush();
    journal.rotate({});
    journal.close();
    writeSync(fd, "mine");
    closeSync(fd);
    expect(readFileSync(other, "utf8")).toBe("mine");
    expect(reasons(readJournal(folder))).toEqual(["number 1"]);
  });

  it("is readable by its owner alone", () => {
    write(1);
    const [segment = ""] = segmentsIn(folder);
    expect(statSync(segment).mode & 0o077).toBe(0);
  });

  it("reads one file of a log too", () => {
    write(2);
    const copy = join(folder, "copy");
    copyFileSync(segmentsIn(folder)[0]!, copy);
    expect(reasons(readJournal(copy))).toEqual(["number 1", "number 2"]);
  });
});

describe("a disk that refuses", () => {
  /** Takes `room` bytes and then no more, until it is given more room. */
  const disk = (room: number) => {
    const state = { room, refusals: [] as (string | undefined)[] };
    const write = (fd: number, bytes: Buffer): number => {
      if (state.room <= 0) throw new Error("ENOSPC: no space left on device");
      const taken = writeSync(fd, bytes.subarray(0, state.room));
      state.room -= taken;
      return taken;
    };
    return { state, options: { write, onDisk: (refusal: string | undefined) => void state.refusals.push(refusal) } };
  };

  it("loses no line that can be kept until it takes them again, even from the middle of one", () => {
    const { state, options } = disk(250);
    const journal = openJournal(folder, options);
    for (let n = 1; n <= 10; n += 1) {
      journal.append(note(n), "test", null);
      journal.flush();
    }
    expect(journal.refusal).toMatch(/ENOSPC/);
    state.room = 1e9;
    journal.append(note(11), "test", null);
    journal.close();
    expect(state.refusals).toEqual([expect.stringMatching(/ENOSPC/), undefined]);
    expect(reasons(readJournal(folder))).toEqual(Array.from({ length: 11 }, (_, i) => `number ${i + 1}`));
  });

  it("goes on from a snapshot when lines had to be given up, and the log still replays", async () => {
    const { state, options } = disk(6000);
    const journal = openJournal(folder, { ...options, unwrittenBytes: 3000 });
    const loop = createLoop(journal, standaloneOptions("127.0.0.1"));
    const edit = async (n: number): Promise<void> => {
      const object = slice("media-1", "media", [`10.0.0.${n}`]);
      loop.take([
        { fact: { type: "object.seen", data: { kind: "EndpointSlice", object } }, source: "test", cause: null },
      ]);
      await new Promise((resolve) => setImmediate(resolve));
    };
    const start: readonly Fact[] = [
      { type: "operator.started", data: { options: loop.core.options, release: "test" } },
      ...aCall(),
      { type: "objects.synced", data: { objects: 6 } },
    ];
    loop.take(start.map((fact) => ({ fact, source: "test", cause: null })));
    await new Promise((resolve) => setImmediate(resolve));
    for (let n = 1; n <= 40; n += 1) await edit(n);
    expect(state.refusals).toHaveLength(1);
    state.room = 1e9;
    for (let n = 41; n <= 50; n += 1) await edit(n);
    journal.close();

    const lines = [...readJournal(folder)];
    expect(lines.some((line) => line.type === "snapshot")).toBe(true);
    expect(lines.length).toBeLessThan(lines.at(-1)!.seq);
    const { divergence, core } = replay(lines, digest);
    expect(divergence).toBeUndefined();
    expect([...core!.registry.entities("endpoint").keys()]).toEqual(["ns/media#10.0.0.50"]);
  });
});

describe("a damaged log", () => {
  it("is set aside, so that the program can start; what is before and after it still reads", () => {
    write(3);
    const [segment = ""] = segmentsIn(folder);
    writeFileSync(segment, readFileSync(segment, "utf8").replace('"seq":2', '"seq":2 oops'));
    const journal = openJournal(folder);
    expect(journal.tornBytes).toBeGreaterThan(0);
    const line = journal.append({ type: "journal.recovered", data: { tornBytes: journal.tornBytes } }, "journal", null);
    expect(line.seq).toBeGreaterThan(3);
    journal.close();
    expect(readdirSync(folder).filter((name) => name.endsWith(".damaged"))).toHaveLength(1);
    expect([...readJournal(folder)].map(({ type }) => type)).toEqual(["journal.recovered"]);
  });
});

describe("rotation", () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => resolve()));
  const fact = (data: Fact) => ({ fact: data, source: "test", cause: null });
  const seen = (kind: "EndpointSlice", object: ReturnType<typeof slice>): Fact => ({
    type: "object.seen",
    data: { kind, object },
  });

  const live = async (options: WriterOptions, edits: number): Promise<void> => {
    const journal = openJournal(folder, options);
    const loop = createLoop(journal, standaloneOptions("127.0.0.1"));
    loop.take([fact({ type: "operator.started", data: { options: loop.core.options, release: "test" } })]);
    loop.take([...aCall(), { type: "objects.synced", data: { objects: 6 } } as const].map(fact));
    await turn();
    for (let n = 0; n < edits; n += 1) {
      loop.take([fact(seen("EndpointSlice", slice("media-1", "media", [`10.0.0.${n % 200}`, "!10.1.0.1"])))]);
      await turn();
    }
    journal.close();
  };

  it("replays identically from the first segment, snapshots compared on the way", async () => {
    await live({ segmentBytes: 4000, keepSegments: 1000 }, 60);
    expect(segmentsIn(folder).length).toBeGreaterThan(5);
    const result = replay(readJournal(folder), digest);
    expect(result.divergence).toBeUndefined();
    expect(result.transitions).toBeGreaterThan(100);
  });

  it("drops segments past retention, and what is left replays from its snapshot", async () => {
    await live({ segmentBytes: 4000, keepSegments: 2 }, 60);
    expect(segmentsIn(folder)).toHaveLength(3);
    const lines = [...readJournal(folder)];
    expect(lines[0]?.type).toBe("snapshot");
    const result = replay(lines, digest);
    expect(result.divergence).toBeUndefined();
    expect(result.transitions).toBeGreaterThan(2);
    expect(result.core?.registry.state("endpoint", "ns/media#10.1.0.1")).toBe("terminating");
  });

  it("begins at the given line or time, and reads only the first lines of earlier segments", async () => {
    await live({ segmentBytes: 4000, keepSegments: 1000 }, 60);
    const all = [...readJournal(folder)];
    const firstOf = (from: Beginning): JournalLine | undefined => readJournal(folder, { from }).next().value;
    const segments = segmentsIn(folder);
    const third = readJournal(segments[2]!).next().value as JournalLine;
    expect(third.type).toBe("snapshot");
    expect(firstOf({ seq: third.seq })).toEqual(third);
    expect(firstOf({ seq: third.seq - 1 })!.seq).toBeLessThan(third.seq);
    expect(firstOf({ seq: all.at(-1)!.seq, atSnapshot: true })).toEqual(readJournal(segments.at(-1)!).next().value);
    expect(firstOf({ seq: 2 })).toEqual(all[0]);
    expect(firstOf({ time: 0 })).toEqual(all[0]);
    // What lies before is not even looked at.
    writeFileSync(segments[1]!, readFileSync(segments[1]!, "utf8").replace('"seq"', '"sec"'));
    expect([...readJournal(folder, { from: { seq: third.seq } })]).toEqual(all.slice(third.seq - 1));
    expect(() => [...readJournal(folder)]).toThrow(expect.objectContaining({ code: "journal-damaged" }));
    // A segment that was begun and not written yet is none to begin at.
    writeFileSync(join(folder, segmentName(all.at(-1)!.seq + 1)), "");
    expect(firstOf({ atSnapshot: true })).toEqual(readJournal(segments.at(-1)!).next().value);
  });

  it("leads to the same state from each of its snapshots", async () => {
    await live({ segmentBytes: 4000, keepSegments: 1000 }, 60);
    const whole = replay(readJournal(folder), digest).core!.export();
    for (const segment of segmentsIn(folder)) {
      const { seq } = readJournal(segment).next().value as JournalLine;
      const { divergence, core } = replay(readJournal(folder, { from: { seq, atSnapshot: true } }), digest);
      expect(divergence).toBeUndefined();
      expect(core!.export()).toEqual(whole);
    }
  });

  it("is identical whatever byte the log ends at", async () => {
    await live({}, 1);
    const [segment = ""] = segmentsIn(folder);
    const whole = [...readJournal(folder)];
    // What replays is the lines that are whole, so one replay stands for all cuts within one line.
    for (let lines = whole.length; lines >= 0; lines -= 1)
      expect(replay(whole.slice(0, lines), digest).divergence, `cut after ${lines} lines`).toBeUndefined();
    const ends = [...readFileSync(segment).entries()].flatMap(([at, byte]) => (byte === 0x0a ? [at] : []));
    for (let bytes = statSync(segment).size; bytes >= 0; bytes -= 1) {
      truncateSync(segment, bytes);
      const lines = ends.filter((end) => end < bytes).length;
      const read = [...readJournal(folder)];
      if (read.length !== lines || read.at(-1)?.seq !== whole[lines - 1]?.seq)
        throw new Error(`cut at byte ${bytes}: ${read.length} lines instead of ${lines}`);
    }
  });

  it("replays a log whose process was killed in the middle, and what came after", async () => {
    await live({}, 3);
    const [segment = ""] = segmentsIn(folder);
    truncateSync(segment, Math.floor(statSync(segment).size * 0.7));
    await live({}, 3);
    const result = replay(readJournal(folder), digest);
    expect(result.divergence).toBeUndefined();
    expect(result.runs).toBe(2);
  });
});
