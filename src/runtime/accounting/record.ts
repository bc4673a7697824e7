/** Usage records: what receivers of accounting get, made of the facts about allocations. */
import type { FactLine, RouteUsage, TrafficCount } from "../../journal/fact.ts";

/** Facts that become records. */
export const REPORTS = new Set(["allocation.used", "allocation.closed"] as const);
export type ReportLine = Extract<FactLine, { readonly type: "allocation.used" | "allocation.closed" }>;

export interface UsageRecord {
  /** The same each time that the record is sent. */
  readonly id: string;
  /** `interim`: the call goes on; `final`: its last record. */
  readonly kind: "interim" | "final";
  /** The same in all records of an allocation. */
  readonly call: string;
  /** Number of the record, from 1 for each call: a receiver sees whether one is missing. */
  readonly sequence: number;
  /** `NAMESPACE/NAME`. */
  readonly gateway: string;
  readonly listener: string;
  readonly user: string;
  /** `ADDRESS:PORT`, as of this record. */
  readonly client: string;
  readonly relayed: string;
  /** When the call began, and until when the record counts, in RFC 3339. */
  readonly start: string;
  readonly until: string;
  /** Why the call ended; only of a final record. */
  readonly reason?: string;
  /** Since the record before. `in`: from the client; `out`: to it. */
  readonly routes: readonly RouteUsage[];
  /** Since the start. */
  readonly total: TrafficCount;
}

const textOf = (time: number): string => new Date(time).toISOString();

/** @param log identifies the event log. */
export const recordOf = (line: ReportLine, log: string): UsageRecord => {
  const { data, seq, time } = line;
  const { gateway, listener, id, user, client, relayed, bytesIn, bytesOut, packetsIn, packetsOut } = data;
  const { openedAt = time, report = 1, routes = [] } = data;
  const until = line.type === "allocation.closed" ? (line.data.endedAt ?? time) : time;
  return {
    id: `${log}-${seq}`,
    kind: line.type === "allocation.closed" ? "final" : "interim",
    call: `${log}-${openedAt}-${id}`,
    sequence: report,
    gateway,
    listener,
    user,
    client,
    relayed,
    start: textOf(openedAt),
    until: textOf(until),
    ...(line.type === "allocation.closed" ? { reason: line.data.reason } : {}),
    routes,
    total: { bytesIn, bytesOut, packetsIn, packetsOut },
  };
};
