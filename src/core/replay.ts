/**
 * Rebuilds everything from a log and compares each transition and each output with what was recorded. A log may end
 * anywhere: what the core concludes beyond the last line has nothing to be compared with.
 */
import { isDerivation, type Derivation, type FactLine, type JournalLine } from "../journal/fact.ts";
import { createCore, type Core, type CoreSnapshot, type Digest } from "./core.ts";
import type { Derived } from "./fold.ts";

export interface Divergence {
  /** Sequence number of the line that differs. */
  readonly seq: number;
  readonly recorded: string;
  readonly replayed: string;
  /** The facts behind it, nearest first. */
  readonly causes: readonly FactLine[];
}

export interface ReplayResult {
  readonly facts: number;
  readonly transitions: number;
  readonly outputs: number;
  /** Runs of the program in this log. */
  readonly runs: number;
  readonly divergence: Divergence | undefined;
  /** The core as the log leaves it; nothing if the log holds no start. */
  readonly core: Core | undefined;
}

/** Of a line or of what replay would have written there, the part that must be the same. */
const comparable = (cause: number | null, { type, data }: Derivation): string => JSON.stringify([cause, type, data]);

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

/** Where two renderings of one output differ, by part. */
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

/** A fact for a chain of causes: which object it was, not all of it. Logs have millions of lines. */
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

const NOTHING = "nothing";

export const replay = (lines: Iterable<JournalLine>, digest: Digest): ReplayResult => {
  let core: Core | undefined;
  let due: Derived[] = [];
  let next = 0;
  let facts = 0;
  let transitions = 0;
  let outputs = 0;
  let runs = 0;
  const factsBySeq = new Map<number, FactLine>();
  let lastSeq = 0;

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

  const result = (divergence?: Divergence): ReplayResult => ({ facts, transitions, outputs, runs, divergence, core });

  const missing = (seq: number, { cause, derivation }: Derived): ReplayResult =>
    result({ seq, recorded: NOTHING, replayed: describe(derivation), causes: causesOf(cause) });

  for (const line of lines) {
    const expected = due[next];
    const previous = lastSeq;
    lastSeq = line.seq;
    if (!isDerivation(line)) {
      // A run that was killed may have left its last conclusions unwritten.
      const newRun = line.type === "operator.started" || line.type === "journal.recovered";
      if (expected !== undefined && !newRun) return missing(line.seq, expected);
      facts += 1;
      factsBySeq.set(line.seq, brief(line));
      if (line.type === "operator.started") {
        core = createCore(line.data.options, digest);
        runs += 1;
      }
      due = [...(core?.apply(line) ?? [])];
      next = 0;
    } else if (line.type === "snapshot") {
      // Behind lines that were lost, while the disk was full, it is a beginning; else it is compared.
      const isBeginning = core === undefined || line.seq !== previous + 1;
      if (expected !== undefined && !isBeginning) return missing(line.seq, expected);
      due = [];
      next = 0;
      if (core === undefined || isBeginning)
        core = createCore((line.data as CoreSnapshot).options, digest, line.data as CoreSnapshot);
      else if (JSON.stringify(core.export()) !== JSON.stringify(line.data))
        return result({
          seq: line.seq,
          recorded: "a snapshot",
          replayed: "a different state",
          causes: causesOf(line.seq - 1),
        });
    } else if (line.type === "fold") {
      if (expected !== undefined) return missing(line.seq, expected);
      due = [...(core?.fold(line.time).derived ?? [])];
      next = 0;
    } else {
      if (line.type === "transition") transitions += 1;
      else outputs += 1;
      if (core === undefined) continue;
      if (expected === undefined || comparable(line.cause, line) !== comparable(expected.cause, expected.derivation)) {
        const [recorded, replayed] =
          expected === undefined ? [describe(line), NOTHING] : describeDifference(line, expected.derivation);
        return result({ seq: line.seq, recorded, replayed, causes: causesOf(line.cause) });
      }
      next += 1;
    }
  }
  return result();
};
