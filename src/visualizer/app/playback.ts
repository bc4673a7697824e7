/** Steps through the log line by line, manually or at a speed. */
import { isEverything, matches } from "./filter.ts";
import { positionOf, type Store } from "./state.ts";

export interface Playback {
  /** Shows the next line that passes the filter, or the previous one; `false` if there is none. */
  step(by: 1 | -1): boolean;
  /** Continues playing from the position that is shown. */
  start(): void;
}

export const createPlayback = (store: Store): Playback => {
  const step = (by: 1 | -1): boolean => {
    const state = store.get();
    const { history, filter, length } = state;
    for (let at = positionOf(state) + by; at >= 0 && at < length; at += by) {
      const line = history.line(at);
      if (line !== undefined && (isEverything(filter) || matches(line, filter))) {
        store.set({ position: at });
        return true;
      }
    }
    return false;
  };

  let playedAt = 0;
  let owed = 0;
  const playOn = (time: number): void => {
    const { playing, speed, position } = store.get();
    if (!playing) return;
    owed += ((time - playedAt) / 1000) * speed;
    playedAt = time;
    if (position === undefined) return store.set({ playing: false });
    for (; owed >= 1; owed -= 1)
      if (!step(1)) {
        // The end of a log that continues is the current state.
        store.set({ playing: false, ...(store.get().source.from === "live" && { position: undefined }) });
        return undefined;
      }
    requestAnimationFrame(playOn);
    return undefined;
  };

  return {
    step,
    start() {
      owed = 0;
      playedAt = performance.now();
      requestAnimationFrame(playOn);
    },
  };
};
