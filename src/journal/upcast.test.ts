import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHistory, gone, synced } from "../../test/support/given.ts";
import { aCall } from "../../test/support/objects.ts";
import { replay } from "../core/replay.ts";
import { digest } from "./digest.ts";
import { JOURNAL_VERSION, type JournalLine } from "./fact.ts";
import { readJournal } from "./reader.ts";
import { upcasters, type Upcasters, type WrittenLine } from "./upcast.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "turnpike-upcast-"))));
afterEach(() => rmSync(folder, { recursive: true }));

/** In version -1 an object that is gone was `object.deleted` and had its name in two parts; in 0 it was one. */
const older: Upcasters = {
  current: 1,
  from: new Map([
    [
      -1,
      (line: WrittenLine): WrittenLine => {
        if (line.type !== "object.deleted") return line;
        const { namespace, name, ...data } = line["data"] as { namespace: string; name: string };
        return { ...line, data: { ...data, name: `${namespace}/${name}` } };
      },
    ],
    [0, (line: WrittenLine) => (line.type === "object.deleted" ? { ...line, type: "object.gone" } : line)],
  ]),
};

const asVersion = (v: 0 | -1, line: JournalLine): unknown => {
  if (line.type !== "object.gone") return { ...line, v };
  const [namespace, name] = line.data.name.split("/");
  const data = v === 0 ? line.data : { ...line.data, namespace, name };
  return { ...line, v, type: "object.deleted", data };
};

const history = (): readonly JournalLine[] => {
  const { take, lines } = createHistory();
  take(...aCall(), synced);
  take(gone("EndpointSlice", "ns/media-1"));
  return JSON.parse(JSON.stringify(lines)) as readonly JournalLine[];
};

const write = (lines: readonly unknown[]): string => {
  const file = join(folder, "000000000001.jsonl");
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return file;
};

describe("lines of older versions", () => {
  it.each([0, -1] as const)("of version %i are read in today's form, and replay", (v) => {
    const lines = history();
    write(lines.map((line) => asVersion(v, line)));
    const read = [...readJournal(folder, { versions: older })];
    expect(read).toEqual(lines);
    const { divergence, core } = replay(read, digest);
    expect(divergence).toBeUndefined();
    expect(core!.registry.entities("endpoint").size).toBe(0);
  });

  it("may stand beside newer ones in one log, as after an update", () => {
    const lines = history();
    write(lines.map((line, i) => (i < 5 ? asVersion(-1, line) : i < 10 ? asVersion(0, line) : line)));
    expect([...readJournal(folder, { versions: older })]).toEqual(lines);
  });

  it("are refused where no way leads to today's form", () => {
    write(history().map((line) => asVersion(0, line)));
    const refused = (versions: Upcasters, message: RegExp): void =>
      expect(() => [...readJournal(folder, { versions })]).toThrow(
        expect.objectContaining({ code: "journal-version", message: expect.stringMatching(message) }),
      );
    refused({ current: 1, from: new Map() }, /jsonl:1 has version 0; this release reads version 1$/);
    refused({ ...older, current: -1 }, /has version 0; this release reads/);
    write(history().map((line) => ({ ...line, v: 2 })));
    refused(older, /has version 2; this release reads versions -1 to 1$/);
  });

  it("have an upcaster from each version to the next", () => {
    expect([...upcasters.from.keys()]).toEqual(Array.from({ length: JOURNAL_VERSION - 1 }, (_, i) => i + 1));
  });
});
