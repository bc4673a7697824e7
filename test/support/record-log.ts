/** Logs of any length, written by the program's own loop. */
import type { Fact } from "../../src/journal/fact.ts";
import { openJournal } from "../../src/journal/writer.ts";
import { createLoop } from "../../src/runtime/loop.ts";
import { standaloneOptions } from "../../src/runtime/options.ts";
import { happenings, listed, turnOf, type World } from "./world-of-turns.ts";

/** A log as a gateway writes it, of about `lines` lines. */
export const record = async (
  folder: string,
  world: World,
  lines: number,
  factsOf: (turn: number) => readonly Fact[] = (turn) => turnOf(world, turn),
): Promise<void> => {
  const journal = openJournal(folder, { fsync: "never" });
  const loop = createLoop(journal, standaloneOptions("192.0.2.1"));
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => resolve()));
  loop.take(happenings([{ type: "operator.started", data: { options: loop.core.options, release: "bench" } }]));
  loop.take(happenings(listed(world)));
  await turn();
  for (let n = 0; journal.lastSeq < lines; n += 1) {
    loop.take(happenings(factsOf(n)));
    await turn();
  }
  journal.close();
};
