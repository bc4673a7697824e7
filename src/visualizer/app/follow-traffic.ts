/** Counters of the running relay, polled while the page shows the current state. */
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

/** Until `signal` is aborted, or no traffic is available. */
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
        // A repeated reading contains nothing new.
        if (traffic.time !== previousTraffic?.time || view !== lastView)
          store.set({
            traffic,
            previousTraffic: traffic.time === previousTraffic?.time ? state.previousTraffic : previousTraffic,
            rates: view === "allocations" ? nextRates(rates, previousTraffic, traffic) : rates,
          });
        lastView = view;
      } catch (error) {
        // A log without a program has no traffic, and never will; the log's stream reports a program that has ended.
        if (error instanceof LogError && error.kind !== "passing") return;
      }
    }
    await wait(TRAFFIC_MS, signal);
  }
};
