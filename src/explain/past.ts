/** The state of the world at one moment of a log, and the lines that led there. */
import { isDerivation, type JournalLine } from "../journal/fact.ts";
import { sentence } from "../journal/sentence.ts";
import type { Name, ObjectKey } from "../resources/keys.ts";
import { createHistory, type History } from "../history/history.ts";
import type { Moment } from "../history/moment.ts";

/** A line without its long parts. */
export interface Mention {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly cause: number | null;
  readonly says: string;
}

export interface Past extends Pick<
  Moment,
  "seq" | "time" | "options" | "view" | "state" | "move" | "rendered" | "status"
> {
  /** Where an object was last seen, or reported as removed. */
  object(key: ObjectKey): Mention | undefined;
  /** The line `seq` and those that it follows from, oldest first. */
  chain(seq: number): readonly Mention[];
  /** The gateway at which a client (`ADDRESS:PORT`, or an address without a port) had its last allocation. */
  gatewayOf(client: string): Name | undefined;
  /** The relay's last report of kernel offload; undefined if no config asked for it. */
  readonly offload: Mention | undefined;
  /** The relay's last denials of a peer, oldest first. */
  refusals(peer: string): readonly Mention[];
}

const MAX_REFUSALS = 5;

const mention = (line: JournalLine): Mention => ({
  seq: line.seq,
  time: line.time,
  cause: line.cause,
  says: sentence(line),
});

/** As of the line at `position` of `history`. Undefined if there is no start before it. */
export const pastAt = (history: History, position: number): Past | undefined => {
  const moment = history.moment(position);
  if (moment === undefined) return undefined;

  const lineOf = (seq: number): JournalLine | undefined => {
    const line = history.line(history.positionOf(seq));
    return line?.seq === seq ? line : undefined;
  };

  return {
    ...moment,
    object(key) {
      const seq = moment.seenAt(key);
      const line = seq === undefined ? undefined : lineOf(seq);
      return line && mention(line);
    },
    chain(seq) {
      const chain: Mention[] = [];
      for (let line = lineOf(seq); line !== undefined; line = line.cause === null ? undefined : lineOf(line.cause))
        if (!isDerivation(line) || line.type === "transition") chain.unshift(mention(line));
      return chain;
    },
    gatewayOf: (client) =>
      moment
        .used()
        .findLast(({ data }) => data.client === client || data.client.slice(0, data.client.lastIndexOf(":")) === client)
        ?.data.gateway,
    get offload() {
      const line = moment.offload();
      return line && mention(line);
    },
    refusals: (peer) =>
      moment
        .refusals()
        .filter(({ data }) => data.peer === peer)
        .slice(-MAX_REFUSALS)
        .map(mention),
  };
};

/** As of the last of `lines` that is not later than `until`, in ms since 1970. */
export const pastOf = (lines: Iterable<JournalLine>, until = Infinity): Past | undefined => {
  const history = createHistory({ versions: "latest" });
  for (const line of lines) {
    if (line.time > until) break;
    history.append(line);
  }
  return pastAt(history, history.length - 1);
};
