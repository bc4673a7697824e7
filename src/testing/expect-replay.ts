/**
 * `expectReplay`: a log as a test. `import { expectReplay } from "turnpike/testing"`; it works with vitest or any other
 * runner in which an `AssertionError` fails a test.
 */
import { AssertionError } from "node:assert";
import { fileURLToPath } from "node:url";
import { describeDivergence } from "../cli/divergence.ts";
import { sentence } from "../journal/sentence.ts";
import type { Core } from "../core/core.ts";
import { createReplayer, type Replayer } from "../core/replay.ts";
import { digest } from "../journal/digest.ts";
import { isDerivation, type Derivation, type JournalLine, type MachineId } from "../journal/fact.ts";
import { readJournal } from "../journal/reader.ts";

/**
 * States by `MACHINE ENTITY`: `gateway ns/gw`, `listener ns/gw/udp`, `route UDPRoute/ns/calls`, `endpoint ns/media#10.0.0.7`,
 * `operator operator`. `gone`: it does not exist, or no longer.
 */
export type ExpectedStates = Readonly<Record<string, string>>;

export interface Expected {
  /** Expected states at the end. Other machines may have any state. */
  readonly states?: ExpectedStates;
  /**
   * Expected transitions, in this order, possibly with others in between: `gateway ns/gw: active → terminating`; a created
   * instance transitions from `new`.
   */
  readonly transitions?: readonly string[];
  /** Expected states after a line, by its number. */
  readonly at?: Readonly<Record<number, ExpectedStates>>;
  /**
   * Facts are taken from the log, conclusions are not: for a log of a bug, whose conclusions are wrong. Only what is
   * expected here is compared.
   */
  readonly anew?: boolean;
}

export interface Replayed {
  /** Every transition, in the format of `Expected`. */
  readonly transitions: readonly string[];
  /** Every line in the format of `turnpike log`, without its time. */
  readonly sentences: readonly string[];
  /** At the end of the log. */
  readonly core: Core;
}

const fail = (message: string, actual: unknown, expected: unknown, stack: (...args: never[]) => unknown): never => {
  throw new AssertionError({ message, actual, expected, operator: "expectReplay", stackStartFn: stack });
};

const stateOf = (core: Core | undefined, what: string): string => {
  const space = what.indexOf(" ");
  const machine = what.slice(0, space) as MachineId;
  return core?.registry.state(machine, what.slice(space + 1)) ?? "gone";
};

const wordOf = (derivation: JournalLine | Derivation): readonly string[] => {
  if (derivation.type !== "transition") return [];
  const { machine, entity, from, to } = derivation.data;
  return [`${machine} ${entity}: ${from || "new"} → ${to}`];
};

/**
 * Replays a log and asserts that every transition and output is as it was recorded, and what else is expected of it.
 *
 * @param log a file of a log, or its folder; a path or a `file:` URL.
 * @throws AssertionError that names the line, the recorded and the current conclusion, and the facts that caused it.
 * @example
 * it("drains a pod that is deleted", () => {
 *   expectReplay(new URL("histories/pod-deleted.jsonl", import.meta.url), {
 *     transitions: ["endpoint media/media#10.1.0.1: active → terminating", "endpoint media/media#10.1.0.1: terminating → gone"],
 *     states: { "gateway media/gateway": "active" },
 *   });
 * });
 */
export const expectReplay = (
  log: string | URL,
  { states = {}, transitions = [], at = {}, anew = false }: Expected = {},
): Replayed => {
  const path = typeof log === "string" ? log : fileURLToPath(log);
  const replayer: Replayer = createReplayer(digest, { compare: !anew });
  const moves: string[] = [];
  const sentences: string[] = [];

  const check = (expected: ExpectedStates, when: string): void => {
    const actual = Object.fromEntries(Object.keys(expected).map((what) => [what, stateOf(replayer.core, what)]));
    const wrong = Object.entries(expected).filter(([what, state]) => actual[what] !== state);
    if (wrong.length === 0) return;
    const list = wrong.map(([what, state]) => `  ${what} is ${actual[what] ?? "gone"}, not ${state}`).join("\n");
    fail(`${path}: ${when}\n${list}`, actual, expected, expectReplay);
  };

  for (const line of readJournal(path)) {
    const divergence = replayer.take(line);
    if (divergence !== undefined)
      fail(
        `${path} does not replay: line ${divergence.seq} differs\n${describeDivergence(divergence)}`,
        divergence.replayed,
        divergence.recorded,
        expectReplay,
      );
    if (!anew) moves.push(...wordOf(line));
    else if (!isDerivation(line) || line.type === "fold")
      moves.push(...replayer.concluded.flatMap(({ derivation }) => wordOf(derivation)));
    sentences.push(sentence(line));
    const expected = at[line.seq];
    if (expected !== undefined) check(expected, `behind line ${line.seq}`);
  }
  const { core } = replayer;
  if (core === undefined) return fail(`${path} begins nothing`, undefined, "a start, or a snapshot", expectReplay);
  for (const seq of Object.keys(at).map(Number))
    if (seq > replayer.lastSeq) fail(`${path} ends before line ${seq}`, replayer.lastSeq, seq, expectReplay);

  let from = 0;
  for (const move of transitions) {
    const found = moves.indexOf(move, from);
    if (found < 0)
      fail(
        `${path}: "${move}" is not among the transitions${from > 0 ? ` behind "${moves[from - 1]}"` : ""}:\n${moves.map((one) => `  ${one}`).join("\n")}`,
        moves,
        transitions,
        expectReplay,
      );
    from = found + 1;
  }
  check(states, "in the end");
  return { transitions: moves, sentences, core };
};
