/** The state of a running program; a log does not contain it. */
import type { RelayState } from "../dataplane/relay.ts";
import type { Scrape } from "../http.ts";
import type { GiveOrder } from "./orders.ts";
import { programState, type ProgramState, type StateSources } from "./state.ts";

export interface Running {
  readonly state: () => Promise<ProgramState>;
  readonly relay: () => Promise<RelayState>;
  /** Why it is not ready; undefined if it is. */
  readonly notReady: () => string | undefined;
  readonly metrics: Scrape;
  /** Absent if it takes no orders about users. */
  readonly order?: GiveOrder;
}

export const runningOf = (
  sources: StateSources,
  notReady: Running["notReady"],
  metrics: Scrape,
  order?: GiveOrder,
): Running => {
  const relay = async (): Promise<RelayState> => {
    await sources.relay.refresh?.();
    return sources.relay.state();
  };
  return {
    relay,
    notReady,
    metrics,
    ...(order === undefined ? {} : { order }),
    async state() {
      await relay();
      return programState(sources);
    },
  };
};
