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

export type ExplainedClient =
  /** `client`: `ADDRESS:PORT`, or an address without a port. */
  { readonly client: string } | { readonly user: string };

export interface Past extends Pick<
  Moment,
  "seq" | "time" | "options" | "view" | "state" | "move" | "rendered" | "status"
> {
  /** Where an object was last seen, or reported as removed. */
  object(key: ObjectKey): Mention | undefined;
  /** The line `seq` and those that it follows from, oldest first. */
  chain(seq: number): readonly Mention[];
  /**
   * The gateway at which a client (`ADDRESS:PORT`, or an address without a port) had its last allocation; if it had none,
   * the one that last sent it to another server.
   */
  gatewayOf(client: string): Name | undefined;
  /** The relay's last report of kernel offload; undefined if no config asked for it. */
  readonly offload: Mention | undefined;
  /** The relay's last denials of a peer, oldest first. */
  refusals(peer: string): readonly Mention[];
  /** Open allocations of a client or a user, oldest first. */
  allocationsOf(who: ExplainedClient): readonly Mention[];
  /** The last times that the relay sent a client or a user to another server, oldest first. */
  redirections(who: ExplainedClient): readonly Mention[];
  /** Redirections that the log leaves out. */
  readonly unloggedRedirections: number;
}

const MAX_REFUSALS = 5;
const MAX_REDIRECTIONS = 5;

const mention = (line: JournalLine): Mention => ({
  seq: line.seq,
  time: line.time,
  cause: line.cause,
  says: sentence(line),
});

/** Whether `address`, `ADDRESS:PORT`, is that of `client`, with or without a port. */
const isClient = (client: string, address: string): boolean =>
  address === client || address.slice(0, address.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1") === client;

const isOf = (who: ExplainedClient, { client, user }: { readonly client: string; readonly user: string }): boolean =>
  "user" in who ? user === who.user : isClient(who.client, client);

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
      [...moment.redirections(), ...moment.used()].findLast(({ data }) => isClient(client, data.client))?.data.gateway,
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
    allocationsOf: (who) =>
      moment
        .allocations()
        .filter(({ data }) => isOf(who, data))
        .map(mention),
    redirections: (who) =>
      moment
        .redirections()
        .filter(({ data }) => isOf(who, data))
        .slice(-MAX_REDIRECTIONS)
        .map(mention),
    get unloggedRedirections() {
      return moment.redirections().reduce((sum, { data }) => sum + data.suppressed, 0);
    },
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
