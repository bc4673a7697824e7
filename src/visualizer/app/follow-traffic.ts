/** Counters of the running relay, read again and again while the page shows what is now. */
import type { Traffic } from "../traffic.ts";
import { nextRates } from "./rates.ts";
import { ask, LogError } from "./source.ts";
import { momentOf, type State, type Store, type View } from "./state.ts";
import { wait } from "./wait.ts";
import { splitEndpoint } from "../../resources/entities.ts";

const TRAFFIC_MS = 2000;

/** Addresses of endpoints that terminate. */
const terminatingOf = (state: State): readonly string[] =>
  (momentOf(state)?.entities("endpoint") ?? []).flatMap(([entity, now]) =>
    now === "terminating" ? [splitEndpoint(entity).address] : [],
  );

/** Until `signal` is aborted, or there is no traffic to be had. */
export const followTraffic = async (store: Store, signal: AbortSignal): Promise<void> => {
  let lastView: View | undefined;
  while (!signal.aborted) {
    const state = store.get();
    const { source, match, position, view } = state;
    if (source.from === "live" && source.status === "following" && position === undefined && !document.hidden) {
      try {
        const question = new URLSearchParams(view === "allocations" ? { match } : { show: "0" });
        for (const address of terminatingOf(state)) question.append("peer", address);
        const response = await ask(`/api/v1/traffic?${question}`, signal);
        const traffic = (await response.json()) as Traffic;
        const { traffic: previousTraffic, rates } = store.get();
        // The same reading again tells nothing new.
        if (traffic.time !== previousTraffic?.time || view !== lastView)
          store.set({
            traffic,
            previousTraffic: traffic.time === previousTraffic?.time ? state.previousTraffic : previousTraffic,
            rates: view === "allocations" ? nextRates(rates, previousTraffic, traffic) : rates,
          });
        lastView = view;
      } catch (error) {
        // A log alone has no traffic, and will have none; of a program that is gone the log's stream tells.
        if (error instanceof LogError && error.kind !== "passing") return;
      }
    }
    await wait(TRAFFIC_MS, signal);
  }
};
