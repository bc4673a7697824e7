/** `turnpike usage DIR`: who relayed how much, from the event log. */
import { Command, InvalidArgumentError } from "commander";
import type { FactLine, JournalLine, RouteUsage, TrafficCount } from "../journal/fact.ts";
import { readJournal } from "../journal/reader.ts";
import { reportTorn, sinceOption, untilOption } from "./log.ts";
import { table } from "./table.ts";

const groupings = ["user", "route", "gateway", "listener"] as const;
type Grouping = (typeof groupings)[number];

interface UsageOptions {
  readonly by?: readonly Grouping[];
  readonly since?: number;
  readonly until?: number;
  readonly json?: boolean;
}

type Report = Extract<FactLine, { readonly type: "allocation.used" | "allocation.closed" }>;

/** The sums of one group. */
export interface GroupUsage extends TrafficCount {
  readonly group: Readonly<Partial<Record<Grouping, string>>>;
  /** Calls that reported in this time. */
  readonly calls: number;
}

/** The route of logs of earlier releases, whose lines have none. */
const NO_ROUTE = "-";

const isReport = (line: JournalLine): line is Report =>
  line.type === "allocation.used" || line.type === "allocation.closed";

/** Sums of the reports in `lines`, those with the most bytes first. */
export const usageOf = (
  lines: Iterable<JournalLine>,
  by: readonly Grouping[],
  since = -Infinity,
  until = Infinity,
): readonly GroupUsage[] => {
  const groups = new Map<string, { sums: GroupUsage; calls: Set<string> }>();
  const add = (
    { data }: Report,
    { route, bytesIn, bytesOut, packetsIn, packetsOut }: RouteUsage,
    call: string,
  ): void => {
    const group = Object.fromEntries(by.map((name) => [name, name === "route" ? route : data[name]]));
    const key = JSON.stringify(group);
    const { sums, calls = new Set<string>() } = groups.get(key) ?? {};
    groups.set(key, {
      calls: calls.add(call),
      sums: {
        group,
        calls: calls.size,
        bytesIn: (sums?.bytesIn ?? 0) + bytesIn,
        bytesOut: (sums?.bytesOut ?? 0) + bytesOut,
        packetsIn: (sums?.packetsIn ?? 0) + packetsIn,
        packetsOut: (sums?.packetsOut ?? 0) + packetsOut,
      },
    });
  };
  for (const line of lines) {
    if (!isReport(line) || line.time < since || line.time > until) continue;
    const { data, time } = line;
    const call = `${data.openedAt ?? time} ${data.id}`;
    const routes = data.routes ?? [{ ...data, route: NO_ROUTE }];
    for (const usage of routes) add(line, usage, call);
    // A call without data counts as a call.
    if (routes.length === 0 && !by.includes("route"))
      add(line, { route: NO_ROUTE, bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 }, call);
  }
  return [...groups.values()]
    .map(({ sums }) => sums)
    .toSorted((one, other) => other.bytesIn + other.bytesOut - (one.bytesIn + one.bytesOut));
};

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** `1.2 GB`, in powers of 1000 as bills have them. */
const textOf = (bytes: number): string => {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${UNITS[power] ?? ""}`;
};

const parseBy = (text: string, before: readonly Grouping[] = []): readonly Grouping[] => {
  const found = groupings.find((name) => name === text);
  if (found === undefined) throw new InvalidArgumentError(`expected ${groupings.join(", ")}`);
  return [...before.filter((name) => name !== found), found];
};

export const usageCommand = (): Command =>
  new Command("usage")
    .description("print who relayed how much, from the event log")
    .argument("<dir>", "folder of the log, or one file of it")
    .option("--by <what>", `sum by ${groupings.join(", ")}; may be given again (default: user)`, parseBy)
    .addOption(sinceOption())
    .addOption(untilOption())
    .option("--json", "the sums as JSON, in bytes")
    .action((folder: string, { by = ["user"], since, until, json }: UsageOptions) => {
      const from = since === undefined ? {} : { from: { time: since } };
      const sums = usageOf(readJournal(folder, { onTorn: reportTorn, ...from }), by, since, until);
      if (json === true) {
        process.stdout.write(`${JSON.stringify(sums, undefined, 2)}\n`);
        return;
      }
      process.stdout.write(
        table(
          [
            ...by.map((name) => name.toUpperCase()),
            "CALLS",
            "FROM CLIENTS",
            "TO CLIENTS",
            "PACKETS FROM",
            "PACKETS TO",
          ],
          sums.map(({ group, calls, bytesIn, bytesOut, packetsIn, packetsOut }) => [
            ...by.map((name) => group[name] ?? ""),
            String(calls),
            textOf(bytesIn),
            textOf(bytesOut),
            String(packetsIn),
            String(packetsOut),
          ]),
        ),
      );
    });
