/** Logs of the first release replay with this one. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { readJournal } from "../../src/journal/reader.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));

describe.each(readdirSync(fixtures))("logs of the %s", (release) => {
  const logs = readdirSync(join(fixtures, release)).filter((name) => name.endsWith(".jsonl"));

  it.each(logs)("lead to the same conclusions today: %s", (log) => {
    const { divergence, core, transitions, outputs } = replay(readJournal(join(fixtures, release, log)), digest);
    expect(divergence).toBeUndefined();
    expect(transitions).toBeGreaterThan(20);
    expect(outputs).toBeGreaterThan(3);
    // Each ends in an orderly stop.
    expect(core!.registry.entities("operator").size).toBe(0);
    expect(core!.registry.entities("gateway").size).toBe(0);
  });
});

it("has a log of each mode of the first release", () => {
  const modes = readdirSync(join(fixtures, "first-release"))
    .filter((name) => name.endsWith(".jsonl"))
    .map((name) => {
      const first = readJournal(join(fixtures, "first-release", name)).next().value;
      return first?.type === "operator.started" ? first.data.options.mode : undefined;
    });
  expect(modes.toSorted()).toEqual(["dataplane", "legacy", "managed", "standalone"]);
});
