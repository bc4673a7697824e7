/** `turnpike replay --until N`: the whole state after that line. */
import type { Replayer } from "../core/replay.ts";
import { statesOf, type States } from "../core/states.ts";
import { table } from "./table.ts";

/** Rows shown of a long list. */
const SHORT = 50;

const titles = {
  operator: "operator",
  gateway: "gateways",
  listener: "listeners",
  route: "routes",
  endpoint: "endpoints",
  user: "users",
} as const satisfies Record<keyof States, string>;

const countsOf = (states: Readonly<Record<string, string>>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const state of Object.values(states)) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
};

const describeCounts = (states: Readonly<Record<string, string>>): string =>
  Object.entries(countsOf(states))
    .map(([state, count]) => `${count} ${state}`)
    .join(", ") || "none";

export interface StateAt {
  /** The last line to include. */
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** The line is one of several conclusions from one fact: the states are those after all of them. */
  readonly isAmid: boolean;
  readonly states: States;
  readonly counts: Readonly<Record<keyof States, Readonly<Record<string, number>>>>;
}

/** Undefined if the log contains no start up to there. */
export const stateAt = ({ core, lastSeq, lastTime, outstanding }: Replayer): StateAt | undefined => {
  if (core === undefined) return undefined;
  const states = statesOf(core);
  return {
    seq: lastSeq,
    time: lastTime,
    isAmid: outstanding > 0,
    states,
    counts: {
      operator: countsOf(states.operator),
      gateway: countsOf(states.gateway),
      listener: countsOf(states.listener),
      route: countsOf(states.route),
      endpoint: countsOf(states.endpoint),
      user: countsOf(states.user),
    },
  };
};

export const describeStateAt = ({ seq, time, isAmid, states }: StateAt): string => {
  const machines = (["gateway", "listener", "route", "endpoint", "user"] as const).filter(
    (machine) => machine !== "user" || Object.keys(states.user).length > 0,
  );
  const rows = machines.map((machine) => {
    const entities = Object.entries(states[machine]);
    const shown = entities.slice(0, SHORT).map(([entity, state]) => [`  ${entity}`, state]);
    const rest = entities.length > SHORT ? `  … ${entities.length - SHORT} more (--json has all of them)\n` : "";
    const head = [titles[machine], describeCounts(states[machine])];
    return `${table(head, shown)}${rest}`;
  });
  return [
    `line ${seq} at ${new Date(time).toISOString()}: operator ${states.operator["operator"] ?? "stopped"}\n`,
    isAmid ? "  (amid conclusions that belong together; this is behind all of them)\n" : "",
    ...rows,
  ].join("");
};
