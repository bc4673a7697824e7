/** What can be done on the page. Each changes the state, and nothing anywhere else. */
import { createHistory } from "../../history/history.ts";
import { sliceOf } from "../../history/slice.ts";
import type { JournalLine, MachineId } from "../../journal/fact.ts";
import type { Definition } from "../definitions.ts";
import type { Traffic } from "../traffic.ts";
import { matches, isEverything, type Filter } from "./filter.ts";
import { fragmentOf, readFragment } from "./link.ts";
import { nextRates } from "./rates.ts";
import { ask, LogError, readFile, readLive, readPath, setToken, type LogReader } from "./source.ts";
import {
  initialState,
  momentOf,
  positionOf,
  type Question,
  type Selection,
  type State,
  type Store,
  type View,
} from "./state.ts";

export interface Actions {
  show(view: View): void;
  /** Shows the line at `position`; nothing: now, whatever comes. */
  goTo(position: number | undefined): void;
  goToSeq(seq: number): void;
  /** The next line that the filter lets through, or the one before. */
  step(by: 1 | -1): void;
  play(playing: boolean): void;
  setSpeed(speed: number): void;
  compareWith(position: number | undefined): void;
  select(selection: Selection | undefined): void;
  ask(question: Question | undefined): void;
  setFilter(change: Partial<Filter>): void;
  toggle(key: string): void;
  showMachine(machine: MachineId): void;
  setTheme(theme: State["theme"]): void;
  setMatch(match: string): void;
  openFile(file: File): void;
  /** Goes back from a file to the program that serves the page. */
  openLive(): void;
  giveToken(token: string): void;
  saveLog(): void;
  /** The lines between the two moments of the comparison, or all up to this one, to replay by themselves. */
  saveSlice(): void;
  saveText(name: string, type: string, text: string): void;
}

const RETRY_MS = 1500;
const TRAFFIC_MS = 2000;
const TICK_MS = 1000;

/** Resolves early when `signal` is aborted. */
const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

const save = (name: string, type: string, parts: BlobPart[]): void => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};

const ndjson = (lines: Iterable<JournalLine>): BlobPart[] => {
  const parts: BlobPart[] = [];
  for (const line of lines) parts.push(`${JSON.stringify(line)}\n`);
  return parts;
};

/** Addresses of endpoints that terminate. */
const terminatingOf = (state: State): readonly string[] =>
  (momentOf(state)?.entities("endpoint") ?? []).flatMap(([entity, now]) =>
    now === "terminating" ? [entity.slice(entity.indexOf("#") + 1)] : [],
  );

const troubleOf = (error: unknown): State["trouble"] => {
  if (error instanceof LogError)
    return { message: error.message, todo: error.todo, asksToken: error.message === "a token is asked for" };
  return { message: String(error), todo: "reload the page", asksToken: false };
};

export const createActions = (store: Store): Actions => {
  let reading = new AbortController();
  let asked = readFragment(location.hash);

  const append = (lines: readonly JournalLine[]): void => {
    const { history } = store.get();
    for (const line of lines) history.append(line);
    store.set({ length: history.length });
  };

  /** What the link asked for, now that the lines are there. */
  const followLink = (): void => {
    const { history } = store.get();
    const position = (seq: number | undefined): number | undefined =>
      seq === undefined ? undefined : Math.max(0, history.positionOf(seq));
    store.set({ ...asked.change, position: position(asked.at), compareWith: position(asked.vs) });
  };

  /** Opens what is alone, so that a small world is seen whole at once. */
  const openFirst = (): void => {
    const { history, open } = store.get();
    const gateways = history.moment(history.length - 1)?.entities("gateway") ?? [];
    const [only] = gateways;
    if (open.size === 0 && only !== undefined && gateways.length <= 3)
      store.set({ open: new Set(gateways.map(([name]) => name)) });
  };

  const loaded = (): void => {
    followLink();
    openFirst();
  };

  const begin = (source: State["source"]): AbortSignal => {
    reading.abort();
    reading = new AbortController();
    const { theme, definitions, filter, view, machine } = store.get();
    store.set({ ...initialState(), theme, definitions, filter, view, machine, source, history: createHistory() });
    return reading.signal;
  };

  const fail = (error: unknown): void => store.set({ trouble: troubleOf(error) });

  const learnMachines = async (): Promise<void> => {
    if (store.get().definitions !== undefined) return;
    const response = await ask("/api/v1/machines").catch(() => undefined);
    if (response !== undefined) store.set({ definitions: (await response.json()) as Record<MachineId, Definition> });
  };

  /** Until another source is opened. */
  const followLive = async (): Promise<void> => {
    const signal = begin({ from: "live", status: "loading", share: 0 });
    while (!signal.aborted) {
      try {
        await learnMachines();
        const isFirst = store.get().length === 0;
        await readLive(store.get().history.last?.seq ?? 0, signal, {
          onLines: append,
          onProgress: (share) => store.set({ source: { from: "live", status: "loading", share } }),
          onLoaded: () => {
            store.set({ source: { from: "live", status: "following", share: 1 }, trouble: undefined });
            if (isFirst) loaded();
          },
        });
      } catch (error) {
        if (signal.aborted) return;
        store.set({ source: { from: "live", status: "lost", share: 0 }, trouble: troubleOf(error) });
        if (error instanceof LogError && !error.mayPass) return;
        await wait(RETRY_MS, signal);
      }
    }
  };

  const followTraffic = async (signal: AbortSignal): Promise<void> => {
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
          if (error instanceof LogError && !error.mayPass) return;
        }
      }
      await wait(TRAFFIC_MS, signal);
    }
  };

  /** Reads a log that does not go on. */
  const readWhole = (
    from: "file" | "path",
    name: string,
    read: (signal: AbortSignal, reader: LogReader) => Promise<void>,
  ): void => {
    const signal = begin({ from, name, status: "loading", share: 0 });
    const ifCurrent =
      <T extends unknown[]>(act: (...values: T) => void) =>
      (...values: T): void => {
        if (!signal.aborted) act(...values);
      };
    read(signal, {
      onLines: ifCurrent(append),
      onProgress: ifCurrent((share) => store.set({ source: { from, name, status: "loading", share } })),
      onLoaded: ifCurrent(() => {
        store.set({ source: { from, name, status: "loaded", share: 1 } });
        loaded();
      }),
    }).catch(ifCurrent(fail));
  };

  const open = (): void => {
    const { log } = asked;
    if (log === undefined) void followLive();
    else readWhole("path", log, (signal, reader) => readPath(log, signal, reader));
  };

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
        // The end of a log that goes on is now.
        store.set({ playing: false, ...(store.get().source.from === "live" && { position: undefined }) });
        return undefined;
      }
    requestAnimationFrame(playOn);
    return undefined;
  };

  const writeLink = (): void => {
    const fragment = fragmentOf(store.get());
    if (fragment !== location.hash.slice(1)) history.replaceState(null, "", `#${fragment}`);
  };

  let linkTimer: ReturnType<typeof setTimeout> | undefined;
  const set = (change: Partial<State>): void => {
    store.set(change);
    // Browsers refuse an address that changes with every frame.
    clearTimeout(linkTimer);
    linkTimer = setTimeout(writeLink, 250);
  };

  addEventListener("hashchange", () => {
    const before = asked.log;
    asked = readFragment(location.hash);
    if (asked.log === before) followLink();
    else open();
  });

  void learnMachines();
  open();
  const always = new AbortController();
  void followTraffic(always.signal);
  setInterval(() => {
    if (!document.hidden) store.set({ now: Date.now() });
  }, TICK_MS);

  return {
    show: (view) => set({ view }),
    goTo: (position) => set({ position, playing: false }),
    goToSeq(seq) {
      const { history } = store.get();
      set({ position: Math.max(0, history.positionOf(seq)), selection: { what: "line", seq }, playing: false });
    },
    step(by) {
      step(by);
      set({ playing: false });
    },
    play(playing) {
      const { position, length } = store.get();
      set({ playing, ...(playing && (position === undefined || position >= length - 1) && { position: 0 }) });
      owed = 0;
      playedAt = performance.now();
      if (playing) requestAnimationFrame(playOn);
    },
    setSpeed: (speed) => set({ speed }),
    compareWith: (compareWith) => set({ compareWith, view: compareWith === undefined ? "topology" : "compare" }),
    select: (selection) =>
      set({
        selection,
        question: undefined,
        ...(selection?.what === "instance" && { machine: selection.machine }),
      }),
    ask: (question) => set({ question, selection: undefined }),
    setFilter: (change) => set({ filter: { ...store.get().filter, ...change } }),
    toggle(key) {
      const open = new Set(store.get().open);
      if (!open.delete(key)) open.add(key);
      set({ open });
    },
    showMachine: (machine) => set({ machine }),
    setTheme(theme) {
      document.documentElement.dataset["theme"] = theme;
      localStorage.setItem("turnpike-theme", theme);
      set({ theme });
    },
    setMatch: (match) => set({ match }),
    openFile(file) {
      asked = { change: {}, at: undefined, vs: undefined, log: undefined };
      readWhole("file", file.name, (_, reader) => readFile(file, reader));
    },
    openLive() {
      asked = { ...asked, log: undefined };
      void followLive();
    },
    giveToken(token) {
      setToken(token);
      open();
    },
    saveLog() {
      const { history } = store.get();
      const lines = Array.from({ length: history.length }, (_, at) => history.line(at)).filter(
        (line) => line !== undefined,
      );
      save(`turnpike-${history.last?.seq ?? 0}.jsonl`, "application/x-ndjson", ndjson(lines));
    },
    saveSlice() {
      const state = store.get();
      const ends = [positionOf(state), state.compareWith ?? 0].toSorted((a, b) => a - b);
      const lines = sliceOf(state.history, ends[0] ?? 0, ends[1] ?? 0);
      save(`slice-${lines[0]?.seq ?? 0}-${lines.at(-1)?.seq ?? 0}.jsonl`, "application/x-ndjson", ndjson(lines));
    },
    saveText: (name, type, text) => save(name, type, [text]),
  };
};
