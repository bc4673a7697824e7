import { AssertionError } from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { expectReplay } from "./expect-replay.ts";
import { createHistory, seen, synced } from "../../test/support/given.ts";
import { aCall, slice } from "../../test/support/objects.ts";

let log: string;
let folder: string;
let lines: readonly string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "turnpike-expect-"));
  log = join(folder, "log.jsonl");
  const history = createHistory();
  history.take(...aCall(), synced);
  history.take(seen("EndpointSlice", slice("media-1", "media", ["!10.0.0.1", "10.0.0.2"])));
  history.take(seen("EndpointSlice", slice("media-1", "media", ["10.0.0.2"])));
  lines = history.lines.map((line) => `${JSON.stringify(line)}\n`);
  writeFileSync(log, lines.join(""));
});
afterEach(() => rmSync(folder, { recursive: true }));

const failure = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof AssertionError) return error.message;
    throw error;
  }
  return "nothing failed";
};

describe("expectReplay", () => {
  it("is content with a log that replays, does what it should, and leads where it should", () => {
    const terminating = lines.findIndex((line) => line.includes('"to":"terminating"')) + 1;
    const { transitions, sentences, core } = expectReplay(pathToFileURL(log), {
      transitions: [
        "endpoint ns/media#10.0.0.1: new → active",
        "endpoint ns/media#10.0.0.1: active → terminating",
        "endpoint ns/media#10.0.0.1: terminating → gone",
      ],
      at: { [terminating]: { "endpoint ns/media#10.0.0.1": "terminating" } },
      states: {
        "gateway ns/gw": "active",
        "endpoint ns/media#10.0.0.1": "gone",
        "endpoint ns/media#10.0.0.2": "active",
      },
    });
    expect(transitions).toContain("operator operator: standby → leading");
    expect(sentences).toHaveLength(lines.length);
    expect(core.registry.entities("endpoint").size).toBe(1);
    expectReplay(log);
  });

  it("names the line that differs, what was recorded, what is concluded now, and why", () => {
    writeFileSync(log, lines.join("").replace('"to":"terminating"', '"to":"gone"'));
    expect(failure(() => expectReplay(log))).toMatch(
      /log\.jsonl does not replay: line \d+ differs\n {2}recorded: endpoint ns\/media#10\.0\.0\.1: active → gone on .*\n {2}replayed: endpoint ns\/media#10\.0\.0\.1: active → terminating on .*\n {2}because of:\n +\d+ .* seen EndpointSlice\/ns\/media-1\n/,
    );
  });

  it("names a state that is another one, and a move that does not happen in its place", () => {
    expect(
      failure(() => expectReplay(log, { states: { "gateway ns/gw": "invalid", "gateway ns/x": "gone" } })),
    ).toMatch(/: in the end\n {2}gateway ns\/gw is active, not invalid$/);
    expect(failure(() => expectReplay(log, { at: { 3: { "operator operator": "leading" } } }))).toMatch(
      /: behind line 3\n {2}operator operator is syncing, not leading$/,
    );
    const [there, notThere] = ["operator operator: standby → leading", "operator operator: starting → syncing"];
    expect(failure(() => expectReplay(log, { transitions: [there, notThere] }))).toMatch(
      /"operator operator: starting → syncing" is not among the transitions behind "operator operator: standby → leading":\n/,
    );
  });

  it("concludes anew from the facts of a log whose conclusions are wrong", () => {
    const wrong = lines.filter((line) => !line.includes('"to":"terminating"'));
    const numbered = wrong.map((line, index) => line.replace(/"seq":\d+/, `"seq":${index + 1}`));
    writeFileSync(log, numbered.join("").replace('"to":"leading"', '"to":"stopped"'));
    expect(failure(() => expectReplay(log))).toContain("does not replay");
    expectReplay(log, {
      anew: true,
      transitions: ["operator operator: standby → leading", "endpoint ns/media#10.0.0.1: active → terminating"],
      states: { "operator operator": "leading", "endpoint ns/media#10.0.0.1": "gone" },
    });
    expect(failure(() => expectReplay(log, { anew: true, states: { "gateway ns/gw": "invalid" } }))).toContain(
      "gateway ns/gw is active, not invalid",
    );
  });

  it("does not pass over a log that begins nothing, or ends too early", () => {
    expect(failure(() => expectReplay(log, { at: { 999: {} } }))).toMatch(/ends before line 999$/);
    writeFileSync(log, "");
    expect(failure(() => expectReplay(log))).toMatch(/begins nothing$/);
  });
});
