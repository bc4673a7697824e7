/** Sends at a rate: one burst after the other, evenly spaced, each client in turn. */
import type { LoadClient } from "./client.ts";

export interface Pace {
  /** Packets a second of all clients together. */
  readonly perSecond: number;
  /** Packets of one client at a time. */
  readonly burst: number;
}

/** What is due at once after a delay; the rest is never sent, as a queue of it would hide the delay. */
const MAX_LATE_SECONDS = 0.1;

/**
 * Calls `send` with each client when it is due, until what this returns is called. It looks at the clock in every turn of the
 * event loop, which therefore never sleeps: a timer of Node's, of 1 ms at best, would send all that is due in a millisecond in
 * one go.
 */
export const keepPace = (
  clients: readonly LoadClient[],
  { perSecond, burst }: Pace,
  send: (client: LoadClient) => void,
): (() => void) => {
  let began = performance.now();
  let sent = 0;
  let isStopped = false;
  const turn = (): void => {
    if (isStopped) return;
    const due = (((performance.now() - began) / 1000) * perSecond) / burst;
    const late = due - sent - (MAX_LATE_SECONDS * perSecond) / burst;
    if (late > 1) began += (late * burst * 1000) / perSecond;
    else
      for (; sent < due; sent++) {
        const client = clients[sent % clients.length];
        if (client !== undefined) send(client);
      }
    setImmediate(turn);
  };
  turn();
  return () => {
    isStopped = true;
  };
};
