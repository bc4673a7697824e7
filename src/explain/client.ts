/** What became of a client or a user at the relay: its open allocations, and the servers to which it was sent instead. */
import type { ExplainedClient, Mention, Past } from "./past.ts";

export interface ClientAnswer {
  /** The relay drains: it sends new clients to other servers, if it knows any. */
  readonly draining: boolean;
  /** The lines that opened its open allocations, oldest first. */
  readonly allocations: readonly Mention[];
  /** The last times that the relay sent it to another server, oldest first. */
  readonly redirections: readonly Mention[];
  /** Redirections, of any client, that the log leaves out. */
  readonly unlogged: number;
}

export const explainClient = (past: Past, who: ExplainedClient): ClientAnswer => ({
  draining: past.state("operator", "operator") === "draining",
  allocations: past.allocationsOf(who),
  redirections: past.redirections(who),
  unlogged: past.unloggedRedirections,
});
