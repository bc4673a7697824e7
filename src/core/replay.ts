/**
 * Rebuilds everything from a log and compares each transition and each output with the recorded ones. A log may end
 * anywhere: what the core concludes after the last line is not compared.
 */
import {
  isDerivation,
  type Derivation,
  type DerivationLine,
  type FactLine,
  type JournalLine,
} from "../journal/fact.ts";
import { createCore, type Core, type CoreSnapshot, type Digest } from "./core.ts";
import type { Derived } from "./derived.ts";

export interface Divergence {
  /** Sequence number of the line that differs. */
  readonly seq: number;
  readonly recorded: string;
  readonly replayed: string;
  /** The facts that caused it, nearest first. */
  readonly causes: readonly FactLine[];
}

export interface ReplayResult {
  readonly facts: number;
  readonly transitions: number;
  readonly outputs: number;
  /** Runs of the program in this log. */
  readonly runs: number;
  readonly divergence: Divergence | undefined;
  /** The state of the core at the end of the log; undefined if the log contains no start. */
  readonly core: Core | undefined;
}

type Parts = Readonly<Record<string, string>>;

/** The same parts in the same order. */
const sameParts = (a: Parts | null, b: Parts | null): boolean => {
  if (a === null || b === null) return a === b;
  const keys = Object.keys(b);
  let at = 0;
  for (const key in a) {
    if (keys[at] !== key || a[key] !== b[key]) return false;
    at += 1;
  }
  return at === keys.length;
};

/** Whether a line is what replay would have written there. */
const isSame = (line: DerivationLine, { cause, derivation }: Derived): boolean => {
  if (line.cause !== cause) return false;
  if (line.type === "transition" && derivation.type === "transition") {
    const [a, b] = [line.data, derivation.data];
    return (
      a.entity === b.entity &&
      a.machine === b.machine &&
      a.from === b.from &&
      a.event === b.event &&
      a.to === b.to &&
      a.why === b.why
    );
  }
  return (
    line.type === "rendered" &&
    derivation.type === "rendered" &&
    line.data.output === derivation.data.output &&
    sameParts(line.data.parts, derivation.data.parts)
  );
};

const describe = (derivation: Derivation): string => {
  switch (derivation.type) {
    case "transition": {
      const { machine, entity, from, event, to } = derivation.data;
      return `${machine} ${entity}: ${from || "(new)"} → ${to} on "${event}"`;
    }
    case "rendered": {
      const { output, parts } = derivation.data;
      return parts === null
        ? `${output}: removed`
        : `${output}: ${Object.entries(parts)
            .map(([k, v]) => `${k}=${v}`)
            .join(" ")}`;
    }
    case "fold":
      return `fold through ${derivation.data.through}`;
    case "snapshot":
      return "snapshot";
    default:
      return derivation satisfies never;
  }
};

/** The parts in which two renderings of one output differ. */
const describeDifference = (recorded: Derivation, replayed: Derivation): readonly [string, string] => {
  if (
    recorded.type !== "rendered" ||
    replayed.type !== "rendered" ||
    recorded.data.output !== replayed.data.output ||
    recorded.data.parts === null ||
    replayed.data.parts === null
  )
    return [describe(recorded), describe(replayed)];
  const [before, now] = [recorded.data.parts, replayed.data.parts];
  const differing = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (part) => before[part] !== now[part],
  );
  const show = (parts: Readonly<Record<string, string>>) =>
    `${recorded.data.output}: ${differing.map((part) => `${part}=${parts[part] ?? "(absent)"}`).join(" ")}`;
  return [show(before), show(now)];
};

/** A fact in a chain of causes: which object it was, not its content. Logs have millions of lines. */
const brief = (line: FactLine): FactLine => {
  if (line.type !== "object.seen") return line;
  const { kind, object } = line.data;
  const { name, namespace } = object.metadata;
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  return {
    ...line,
    data: { kind, object: { apiVersion: object.apiVersion, kind: object.kind, metadata } as typeof object },
  };
};

/** Traffic counters change no state, and there are many: no conclusion follows from them. */
const COUNTED: ReadonlySet<JournalLine["type"]> = new Set([
  "allocation.opened",
  "allocation.moved",
  "allocation.used",
  "allocation.closed",
  "client.redirected",
  "peer.refused",
]);

const NOTHING = "nothing";

/** A replay that receives one line at a time. */
export interface Replayer extends ReplayResult {
  /** Reports where a line differs from what the core concludes. No line is accepted after that one. */
  take(line: JournalLine): Divergence | undefined;
  /** Of the last accepted line; 0 before the first. */
  readonly lastSeq: number;
  /** Of that line, in ms since 1970. */
  readonly lastTime: number;
  /** What the core concluded from the last fact or fold. */
  readonly concluded: readonly Derived[];
  /** Number of these that the lines have already contained. */
  readonly outstanding: number;
  /** The fact with number `cause`, and those that it follows from, nearest first. */
  causesOf(cause: number | null): readonly FactLine[];
}

export interface ReplayerOptions {
  /** `false`: only facts and folds are taken from the lines; conclusions may differ. */
  readonly compare?: boolean;
}

export const createReplayer = (digest: Digest, { compare = true }: ReplayerOptions = {}): Replayer => {
  let core: Core | undefined;
  /** What the core concluded and the lines have not contained yet: from `next` on. */
  let due: readonly Derived[] = [];
  let next = 0;
  let facts = 0;
  let transitions = 0;
  let outputs = 0;
  let runs = 0;
  let lastSeq = 0;
  let lastTime = 0;
  let divergence: Divergence | undefined;
  const factsBySeq = new Map<number, FactLine>();

  const causesOf = (cause: number | null): readonly FactLine[] => {
    const causes: FactLine[] = [];
    for (let seq = cause; seq !== null;) {
      const fact = factsBySeq.get(seq);
      if (fact === undefined) break;
      causes.push(fact);
      seq = fact.cause;
    }
    return causes;
  };

  const expect = (concluded: readonly Derived[]): void => {
    due = concluded;
    next = 0;
  };

  /** A conclusion for which the log has another line. */
  const missing = (seq: number): Divergence | undefined => {
    const expected = due[next];
    if (expected === undefined || !compare) return undefined;
    const { cause, derivation } = expected;
    return { seq, recorded: NOTHING, replayed: describe(derivation), causes: causesOf(cause) };
  };

  const takeFact = (line: FactLine): Divergence | undefined => {
    // A run that was killed may have left its last conclusions unwritten.
    const isNewRun = line.type === "operator.started" || line.type === "journal.recovered";
    const left = isNewRun ? undefined : missing(line.seq);
    if (left !== undefined) return left;
    facts += 1;
    if (!COUNTED.has(line.type)) factsBySeq.set(line.seq, brief(line));
    if (line.type === "operator.started") {
      core = createCore(line.data.options, digest);
      runs += 1;
    }
    expect(core?.apply(line) ?? []);
    return undefined;
  };

  const takeSnapshot = (line: DerivationLine, snapshot: CoreSnapshot, previous: number): Divergence | undefined => {
    // After lines that were lost because the disk was full, a snapshot is a new start; otherwise it is compared.
    const isBeginning = core === undefined || line.seq !== previous + 1;
    const left = isBeginning ? undefined : missing(line.seq);
    if (left !== undefined) return left;
    expect([]);
    if (core === undefined || isBeginning) core = createCore(snapshot.options, digest, { snapshot });
    else if (compare && JSON.stringify(core.export()) !== JSON.stringify(snapshot))
      return {
        seq: line.seq,
        recorded: "a snapshot",
        replayed: "a different state",
        causes: causesOf(line.seq - 1),
      };
    return undefined;
  };

  const takeConclusion = (line: DerivationLine): Divergence | undefined => {
    if (line.type === "transition") transitions += 1;
    else outputs += 1;
    if (core === undefined || !compare) return undefined;
    const expected = due[next];
    if (expected !== undefined && isSame(line, expected)) {
      next += 1;
      return undefined;
    }
    const [recorded, replayed] =
      expected === undefined ? [describe(line), NOTHING] : describeDifference(line, expected.derivation);
    return { seq: line.seq, recorded, replayed, causes: causesOf(line.cause) };
  };

  const takeLine = (line: JournalLine): Divergence | undefined => {
    const previous = lastSeq;
    lastSeq = line.seq;
    lastTime = line.time;
    if (!isDerivation(line)) return takeFact(line);
    if (line.type === "snapshot") return takeSnapshot(line, line.data as CoreSnapshot, previous);
    if (line.type !== "fold") return takeConclusion(line);
    const left = missing(line.seq);
    if (left !== undefined) return left;
    expect(core?.fold(line.time).derived ?? []);
    return undefined;
  };

  return {
    take: (line) => (divergence ??= takeLine(line)),
    causesOf,
    get lastSeq() {
      return lastSeq;
    },
    get lastTime() {
      return lastTime;
    },
    get concluded() {
      return due;
    },
    get outstanding() {
      return due.length - next;
    },
    get facts() {
      return facts;
    },
    get transitions() {
      return transitions;
    },
    get outputs() {
      return outputs;
    },
    get runs() {
      return runs;
    },
    get divergence() {
      return divergence;
    },
    get core() {
      return core;
    },
  };
};

export const replay = (lines: Iterable<JournalLine>, digest: Digest): ReplayResult => {
  const replayer = createReplayer(digest);
  for (const line of lines) if (replayer.take(line) !== undefined) break;
  return replayer;
};
