/** The difference in a replay, for people: what the log says, what the core says, and the facts that led there. */
import type { Divergence } from "../core/replay.ts";
import { sentence } from "../journal/sentence.ts";

export const describeDivergence = ({ recorded, replayed, causes }: Divergence): string =>
  [
    `  recorded: ${recorded}\n  replayed: ${replayed}\n  because of:\n`,
    ...causes.map(
      (fact) => `  ${String(fact.seq).padStart(7)}  ${new Date(fact.time).toISOString()}  ${sentence(fact)}\n`,
    ),
  ].join("");
