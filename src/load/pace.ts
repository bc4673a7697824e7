/** Sends at a rate: one burst after another, evenly spaced, each client in turn. */
import type { LoadClient } from "./client.ts";

export interface Pace {
  /** Packets a second of all clients together. */
  readonly perSecond: number;
  /** Packets of one client in one burst. */
  readonly burst: number;
}

/** Maximum that is sent at once after a delay; the rest is dropped, because a queue would hide the delay. */
const MAX_LATE_SECONDS = 0.1;

/**
 * Calls `send` with each client when it is due, until the returned function is called. It reads the clock in every turn of
 * the event loop, which therefore never sleeps: a timer of Node, of 1 ms at best, would send everything that is due in a
 * millisecond at once.
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
