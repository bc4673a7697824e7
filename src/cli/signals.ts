/** SIGINT and SIGTERM: the first begins an orderly stop, a second one ends the process at once. */

/**
 * `npm start` forwards Ctrl-C to a process that the terminal has already signalled: within this time it is the same signal.
 */
const SECOND_SIGNAL_MS = 500;

/**
 * `stop` is called once, and ends the process when it is done; `atOnce` runs before a second signal ends it with code 1.
 */
export const onStopSignal = (stop: (signal: NodeJS.Signals) => void, atOnce: () => void = () => undefined): void => {
  let stoppingSince: number | undefined;
  const take = (signal: NodeJS.Signals): void => {
    if (stoppingSince === undefined) {
      stoppingSince = performance.now();
      stop(signal);
      return;
    }
    if (performance.now() - stoppingSince < SECOND_SIGNAL_MS) return;
    atOnce();
    process.exit(1);
  };
  process.on("SIGINT", take);
  process.on("SIGTERM", take);
};
