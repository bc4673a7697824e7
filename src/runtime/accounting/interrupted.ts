/** Allocations that were open when the process that wrote a log was killed: nothing in the log says that they ended. */
import type { AllocationSummary, Fact, FactLine, TrafficCount, UsageSummary } from "../../journal/fact.ts";
import { openSegment } from "../../journal/open-segment.ts";
import { headOfLine, segmentsFrom, segmentsIn, headOf } from "../../journal/segment.ts";
import { openTail } from "../../journal/tail.ts";

type Closed = Extract<Fact, { readonly type: "allocation.closed" }>;
type Last = AllocationSummary & TrafficCount & UsageSummary;

const TYPES = new Set([
  "operator.started",
  "allocation.opened",
  "allocation.moved",
  "allocation.used",
  "allocation.closed",
] as const);
type Line = Extract<FactLine, { readonly type: typeof TYPES extends Set<infer T> ? T : never }>;

const AT_ONCE = 1000;
/** Reports may be late by a few sweeps of the relay. */
const SLACK_MS = 10_000;

const NOTHING: TrafficCount = { bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 };

/** The time of the last line, in ms since 1970; undefined for a log without lines. */
const lastTimeOf = (folder: string): number | undefined => {
  for (const file of segmentsIn(folder).toReversed()) {
    const segment = openSegment(file);
    let time: number | undefined;
    try {
      for (const { text } of segment.lines()) time = headOfLine(text)?.time ?? time;
    } finally {
      segment.close();
    }
    if (time !== undefined) return time;
  }
  return undefined;
};

const take = (open: Map<number, Last>, line: Line): void => {
  switch (line.type) {
    case "operator.started":
      open.clear();
      return;
    case "allocation.opened":
      open.set(line.data.id, { ...line.data, ...NOTHING, openedAt: line.time, report: 0, routes: [] });
      return;
    case "allocation.moved": {
      const last = open.get(line.data.id);
      if (last !== undefined) open.set(line.data.id, { ...last, client: line.data.client });
      return;
    }
    case "allocation.used":
      open.set(line.data.id, line.data);
      return;
    case "allocation.closed":
      open.delete(line.data.id);
      return;
    default:
      line satisfies never;
  }
};

/**
 * The closing facts of such allocations. What they relayed after their last reports is unknown.
 *
 * @param intervalSeconds between the reports of an open allocation, when the log was written: an allocation without a report
 *   for longer than that was not open, so no earlier lines are read.
 * @throws TurnpikeError `journal-damaged`, `journal-version`; the error of reading.
 */
export const interruptedIn = (folder: string, intervalSeconds: number): readonly Closed[] => {
  const endedAt = lastTimeOf(folder);
  if (endedAt === undefined) return [];
  const [from] = segmentsFrom(segmentsIn(folder), { time: endedAt - 2 * intervalSeconds * 1000 - SLACK_MS });
  const first = from === undefined ? undefined : headOf(from);
  if (first === undefined) return [];
  const tail = openTail(folder, first.seq - 1, TYPES);
  const open = new Map<number, Last>();
  try {
    for (;;) {
      const { lines, at } = tail.read(AT_ONCE);
      for (const line of lines) take(open, line);
      if (at === "end") break;
    }
  } finally {
    tail.close();
  }
  return [...open.values()].map((last) => ({
    type: "allocation.closed",
    data: { ...last, report: last.report + 1, routes: [], endedAt, reason: "the process has ended" },
  }));
};
