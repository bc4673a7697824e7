/**
 * What the watches of one server tell each other. Each pauses by itself after a failure, ever longer; what most often fails
 * is the server for all of them (it restarts, or does not know our token yet). So when it answers one, the others do not
 * wait out their pauses: a kind that was unlucky would come many seconds after the rest.
 */

/** All that wake together are spread over so long, in ms. */
const SPREAD_MS = 50;

export interface Recovery {
  /** How often the server has recovered. */
  readonly count: number;
  /**
   * Resolves after `ms`, or soon after the server has recovered, or at once when `signal` aborts.
   * @param count what it was when what failed was begun: it may have been overtaken.
   */
  pause(ms: number, signal: AbortSignal, count: number): Promise<void>;
  /** The server has answered again after a failure. */
  recovered(): void;
}

export const createRecovery = (): Recovery => {
  const wakers = new Set<() => void>();
  let recoveries = 0;
  return {
    get count() {
      return recoveries;
    },
    pause: (ms, signal, count) =>
      new Promise((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          wakers.delete(wake);
          signal.removeEventListener("abort", end);
          resolve();
        };
        const wake = (): void => {
          clearTimeout(timer);
          wakers.delete(wake);
          timer = setTimeout(end, Math.random() * SPREAD_MS);
        };
        let timer = setTimeout(end, ms);
        wakers.add(wake);
        if (count !== recoveries) wake();
        if (signal.aborted) end();
        else signal.addEventListener("abort", end);
      }),
    recovered() {
      recoveries += 1;
      for (const wake of wakers) wake();
    },
  };
};
