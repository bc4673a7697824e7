/** A question about a peer, and the moment of a log to which it refers. */
import type { Ip } from "../net/ip.ts";
import type { Name, ObjectKey } from "../resources/keys.ts";
import type { Past } from "./past.ts";

export interface PeerQuestion {
  readonly peer: Ip;
  readonly port?: number;
  /** Only this gateway; otherwise all. */
  readonly gateway?: Name;
}

export interface Inquiry {
  readonly past: Past;
  readonly question: PeerQuestion;
}

/** The lines of the log in which these objects were last seen, or reported as removed. */
export const seen = ({ past }: Inquiry, ...keys: readonly ObjectKey[]): readonly number[] =>
  keys.flatMap((key) => past.object(key)?.seq ?? []);
