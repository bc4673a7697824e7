/**
 * The loop that drives the core. A fact is written to the log, then applied; touched outputs are folded as soon as the
 * facts that arrived together are applied; the derivations are written to the log, and only then acted on.
 */
import { wallMs } from "../clock.ts";
import { createCore, type Core, type CoreFor } from "../core/core.ts";
import type { Fold } from "../core/fold.ts";
import { digest } from "../journal/digest.ts";
import type { FactLine, Happening } from "../journal/fact.ts";
import type { JournalWriter } from "../journal/writer.ts";
import type { RenderOptions } from "../resources/view.ts";

export interface Loop {
  /** Takes facts that belong together. They are folded with all others of this turn of the event loop. */
  take(happenings: readonly Happening[]): readonly FactLine[];
  readonly core: Core;
  /** Called with the derivations and the changes that effects must apply, and how long that took. */
  onFold(listener: (fold: Fold, seconds: number) => void): void;
  /** Called with each fact, after it was applied, and how long that took. */
  onFact(listener: (fact: FactLine, seconds: number) => void): void;
  /** Called at the end of each turn of the event loop in which facts arrived, whether or not anything was folded. */
  onTurn(listener: () => void): void;
  /** Resolves once all facts taken so far are folded, and the listeners have received the results. */
  afterFold(): Promise<void>;
}

export const createLoop = (
  journal: JournalWriter,
  options: RenderOptions,
  coreFor: Pick<CoreFor, "relay"> = {},
): Loop => {
  const core = createCore(options, digest, coreFor);
  const foldListeners: ((fold: Fold, seconds: number) => void)[] = [];
  const factListeners: ((fact: FactLine, seconds: number) => void)[] = [];
  const turnListeners: (() => void)[] = [];
  let waiting: (() => void)[] = [];
  let scheduled = false;

  const fold = (): void => {
    scheduled = false;
    if (core.dirty) {
      const time = wallMs();
      journal.derive({ type: "fold", data: { through: journal.lastSeq } }, journal.lastSeq, time);
      const startedAt = performance.now();
      const folded = core.fold(time);
      const seconds = (performance.now() - startedAt) / 1000;
      for (const { cause, derivation } of folded.derived) journal.derive(derivation, cause, time);
      // Changes must be in the log before they are acted on.
      journal.flush();
      for (const listener of foldListeners) listener(folded, seconds);
    }
    journal.flush();
    if (journal.full && core.isFolded) journal.rotate(core.export());
    for (const listener of turnListeners) listener();
    const resolves = waiting;
    waiting = [];
    for (const resolve of resolves) resolve();
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(fold);
  };

  return {
    core,
    take(happenings) {
      const lines: FactLine[] = [];
      for (const { fact, source, cause } of happenings) {
        const startedAt = performance.now();
        const line = journal.append(fact, source, cause);
        for (const { cause: by, derivation } of core.apply(line)) journal.derive(derivation, by, line.time);
        lines.push(line);
        const seconds = (performance.now() - startedAt) / 1000;
        for (const listener of factListeners) listener(line, seconds);
      }
      schedule();
      return lines;
    },
    onFold: (listener) => void foldListeners.push(listener),
    onFact: (listener) => void factListeners.push(listener),
    onTurn: (listener) => void turnListeners.push(listener),
    afterFold: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        schedule();
      }),
  };
};
