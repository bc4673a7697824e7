/**
 * State that the watches of one server share. Each watch pauses after a failure, with growing pauses; but the usual cause
 * is the server, for all of them (it restarts, or does not know our token yet). So when it answers one, the others do not
 * wait for the end of their pauses: otherwise a kind could arrive many seconds after the rest.
 */

/** All watches that wake together are spread over this time, in ms. */
const SPREAD_MS = 50;

export interface Recovery {
  /** Number of recoveries of the server. */
  readonly count: number;
  /**
   * Resolves after `ms`, or soon after the server has recovered, or at once when `signal` aborts.
   * @param count its value when the failed request began: the server may have recovered since.
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
