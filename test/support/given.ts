/** given(facts).when(facts).then(what the core concluded): tests that read like the domain. */
import { expect } from "vitest";
import { createCore, type Core } from "../../src/core/core.ts";
import { digest } from "../../src/journal/digest.ts";
import {
  JOURNAL_VERSION,
  type Derivation,
  type Fact,
  type FactLine,
  type JournalLine,
} from "../../src/journal/fact.ts";
import type { AnyObject, KindId } from "../../src/resources/kinds.ts";
import type { Name } from "../../src/resources/keys.ts";
import type { RenderOptions } from "../../src/resources/view.ts";
import { standaloneOptions } from "../../src/runtime/options.ts";

export interface History {
  readonly core: Core;
  /** Applies facts, then folds. Returns what was concluded, in words. */
  take(...facts: readonly Fact[]): readonly string[];
  /** Every line so far, as the log would have it. */
  readonly lines: readonly JournalLine[];
}

const word = (derivation: Derivation): readonly string[] => {
  if (derivation.type === "transition") {
    const { machine, entity, from, to } = derivation.data;
    return [`${machine} ${entity}: ${from || "new"} → ${to}`];
  }
  if (derivation.type === "rendered")
    return [`${derivation.data.parts === null ? "withdrawn" : "rendered"} ${derivation.data.output}`];
  return [];
};

export const createHistory = (options: RenderOptions = standaloneOptions("127.0.0.1")): History => {
  const core = createCore(options, digest, { relay: true });
  const lines: JournalLine[] = [];
  let seq = 0;
  const derive = (derivation: Derivation, cause: number, time: number): void => {
    seq += 1;
    lines.push({ v: JOURNAL_VERSION, seq, time, source: "core", cause, ...derivation });
  };
  const history: History = {
    core,
    lines,
    take(...facts) {
      const concluded: string[] = [];
      for (const fact of facts) {
        seq += 1;
        const line = { v: JOURNAL_VERSION, seq, time: seq * 1000, source: "test", cause: null, ...fact } as FactLine;
        lines.push(line);
        for (const { derivation, cause } of core.apply(line)) {
          derive(derivation, cause, line.time);
          concluded.push(...word(derivation));
        }
      }
      if (core.dirty) {
        const time = seq * 1000;
        derive({ type: "fold", data: { through: seq } }, seq, time);
        for (const { derivation, cause } of core.fold(time).derived) {
          derive(derivation, cause, time);
          concluded.push(...word(derivation));
        }
      }
      return concluded;
    },
  };
  history.take({ type: "operator.started", data: { options, release: "test" } });
  return history;
};

export const given = (...facts: readonly Fact[]) => {
  const history = createHistory();
  history.take(...facts);
  return {
    history,
    when(...next: readonly Fact[]) {
      const concluded = history.take(...next);
      return {
        history,
        concluded,
        /** Each line must be among the conclusions, in this order. */
        then(...expected: readonly string[]) {
          let from = 0;
          for (const line of expected) {
            const at = concluded.indexOf(line, from);
            expect(at, `"${line}" in:\n${concluded.join("\n")}`).toBeGreaterThanOrEqual(0);
            from = at + 1;
          }
          return this;
        },
        thenExactly(...expected: readonly string[]) {
          expect(concluded).toEqual(expected);
          return this;
        },
      };
    },
  };
};

export const seen = (kind: KindId, object: AnyObject): Fact => ({ type: "object.seen", data: { kind, object } });
export const gone = (kind: KindId, name: string): Fact => ({ type: "object.gone", data: { kind, name: name as Name } });
export const synced: Fact = { type: "objects.synced", data: { objects: 0 } };
