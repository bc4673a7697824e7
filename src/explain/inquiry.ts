/** What is asked about a peer, and the moment of a log that is asked. */
import type { Ip } from "../net/ip.ts";
import type { Name, ObjectKey } from "../resources/keys.ts";
import type { Past } from "./past.ts";

export interface PeerQuestion {
  readonly peer: Ip;
  readonly port?: number;
  /** Only this one; otherwise all. */
  readonly gateway?: Name;
}

export interface Inquiry {
  readonly past: Past;
  readonly question: PeerQuestion;
}

/** The lines of the log where these objects were last seen, or found gone. */
export const seen = ({ past }: Inquiry, ...keys: readonly ObjectKey[]): readonly number[] =>
  keys.flatMap((key) => past.object(key)?.seq ?? []);
