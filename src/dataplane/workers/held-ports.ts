/** Ports that are held for a RESERVATION-TOKEN, over all threads: the request with the token may arrive on any of them. */
import { monotonicMs } from "../../clock.ts";
import type { Sys } from "../engines/batch/sys.ts";
import type { HeldPort } from "../engines/engine.ts";
import { Tokens, type SharedTokens } from "../reservations.ts";

export interface HeldPorts {
  /**
   * The view of one thread. `descriptors` (by number, 1 for those that the thread must close) tracks each port in and out,
   * so that each is closed exactly once, whichever side ends first.
   */
  of(descriptors?: Uint8Array): SharedTokens;
  /** Closes all that is held. */
  close(): void;
}

const SWEEP_MS = 1000;

export const createHeldPorts = (sys: Pick<Sys, "close">): HeldPorts => {
  const tokens = new Tokens<HeldPort>(({ fd }) => sys.close(fd));
  const sweep = setInterval(() => tokens.expire(monotonicMs()), SWEEP_MS).unref();
  return {
    of: (descriptors) => ({
      // oxlint-disable-next-line require-await -- from a worker it is an answer that takes time
      async hold(port) {
        const token = tokens.hold(port, monotonicMs());
        if (token !== undefined && descriptors !== undefined) descriptors[port.fd] = 0;
        return token;
      },
      // oxlint-disable-next-line require-await -- from a worker it is an answer that takes time
      async take(token) {
        const port = tokens.take(token);
        if (port !== undefined && descriptors !== undefined) descriptors[port.fd] = 1;
        return port;
      },
    }),
    close() {
      clearInterval(sweep);
      tokens.expire(Infinity);
    },
  };
};
