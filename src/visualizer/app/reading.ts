/** The source of the page's log: the running program, a path of it, or a file. */
import { createHistory } from "../../history/history.ts";
import type { JournalLine, MachineId } from "../../journal/fact.ts";
import type { Definition } from "../definitions.ts";
import { readFragment, type Link } from "./link.ts";
import { ask, LogError, readFile, readLive, readPath, type LogReader } from "./source.ts";
import { initialState, type State, type Store } from "./state.ts";
import { wait } from "./wait.ts";

const RETRY_MS = 1500;

export interface Reading {
  /** Opens the log that the link names, or that of the running program. */
  open(): void;
  openFile(file: File): void;
  openLive(): void;
  /** Follows `link`, to another log if it names one. */
  follow(link: Link): void;
}

const troubleOf = (error: unknown): State["trouble"] =>
  error instanceof LogError
    ? { message: error.message, todo: error.todo, asksToken: error.kind === "token" }
    : { message: String(error), todo: "reload the page", asksToken: false };

export const createReading = (store: Store): Reading => {
  let reading = new AbortController();
  let asked = readFragment(location.hash);

  const append = (lines: readonly JournalLine[]): void => {
    const { history } = store.get();
    for (const line of lines) history.append(line);
    store.set({ length: history.length });
  };

  /** Applies what the link requested, now that the lines are loaded. */
  const followLink = (): void => {
    const { history } = store.get();
    const position = (seq: number | undefined): number | undefined =>
      seq === undefined ? undefined : Math.max(0, history.positionOf(seq));
    store.set({ ...asked.change, position: position(asked.at), compareWith: position(asked.vs) });
  };

  /** Opens a node that is the only one, so that a small topology is visible at once. */
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
        if (error instanceof LogError && error.kind !== "passing") return;
        await wait(RETRY_MS, signal);
      }
    }
  };

  /** Reads a log that does not continue. */
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

  void learnMachines();
  return {
    open,
    openFile(file) {
      asked = { change: {}, at: undefined, vs: undefined, log: undefined };
      readWhole("file", file.name, (_, reader) => readFile(file, reader));
    },
    openLive() {
      asked = { ...asked, log: undefined };
      void followLive();
    },
    follow(link) {
      const before = asked.log;
      asked = link;
      if (asked.log === before) followLink();
      else open();
    },
  };
};
