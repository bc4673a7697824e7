import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { synced } from "../../test/support/given.ts";
import { aCall } from "../../test/support/objects.ts";
import { replay } from "../core/replay.ts";
import { digest } from "../journal/digest.ts";
import type { Fact } from "../journal/fact.ts";
import { readJournal } from "../journal/reader.ts";
import { segmentsIn } from "../journal/segment.ts";
import { openJournal } from "../journal/writer.ts";
import { createLoop } from "./loop.ts";
import { standaloneOptions } from "./options.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

it("every segment of a log replays for itself, also one that begins before every list is complete", async () => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-loop-"));
  const journal = openJournal(folder, { segmentBytes: 1 });
  const options = standaloneOptions("127.0.0.1");
  const loop = createLoop(journal, options);
  const take = async (...facts: readonly Fact[]): Promise<void> => {
    loop.take(facts.map((fact) => ({ fact, source: "test", cause: null })));
    await turn();
  };
  try {
    await take({ type: "operator.started", data: { options, release: "test" } });
    for (const fact of aCall()) await take(fact);
    await take(synced);
    journal.close();
    expect(segmentsIn(folder).length).toBeGreaterThan(1);
    for (const segment of segmentsIn(folder))
      expect(replay(readJournal(segment), digest).divergence, segment).toBeUndefined();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
