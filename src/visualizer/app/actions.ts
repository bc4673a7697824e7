/** The actions of the page. Each changes only the state. */
import type { MachineId } from "../../journal/fact.ts";
import { saveLog, saveSlice, saveText } from "./downloads.ts";
import type { Filter } from "./filter.ts";
import { followTraffic } from "./follow-traffic.ts";
import { fragmentOf, readFragment } from "./link.ts";
import { createPlayback } from "./playback.ts";
import { createReading } from "./reading.ts";
import { setToken } from "./source.ts";
import type { Question, Selection, State, Store, View } from "./state.ts";

export interface Actions {
  show(view: View): void;
  /** Shows the line at `position`; undefined: always the latest. */
  goTo(position: number | undefined): void;
  goToSeq(seq: number): void;
  /** The next line that passes the filter, or the previous one. */
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
  /** Returns from a file to the program that serves the page. */
  openLive(): void;
  giveToken(token: string): void;
  saveLog(): void;
  /** The lines between the two moments of the comparison, or all lines up to this one, as a log that replays on its own. */
  saveSlice(): void;
  saveText(name: string, type: string, text: string): void;
}

const TICK_MS = 1000;
/** Browsers reject an address that changes with every frame. */
const LINK_MS = 250;

export const createActions = (store: Store): Actions => {
  const reading = createReading(store);
  const playback = createPlayback(store);

  const writeLink = (): void => {
    const fragment = fragmentOf(store.get());
    if (fragment !== location.hash.slice(1)) history.replaceState(null, "", `#${fragment}`);
  };

  let linkTimer: ReturnType<typeof setTimeout> | undefined;
  const set = (change: Partial<State>): void => {
    store.set(change);
    clearTimeout(linkTimer);
    linkTimer = setTimeout(writeLink, LINK_MS);
  };

  addEventListener("hashchange", () => reading.follow(readFragment(location.hash)));
  reading.open();
  void followTraffic(store, new AbortController().signal);
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
      playback.step(by);
      set({ playing: false });
    },
    play(playing) {
      const { position, length } = store.get();
      set({ playing, ...(playing && (position === undefined || position >= length - 1) && { position: 0 }) });
      if (playing) playback.start();
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
    openFile: reading.openFile,
    openLive: reading.openLive,
    giveToken(token) {
      setToken(token);
      reading.open();
    },
    saveLog: () => saveLog(store.get()),
    saveSlice: () => saveSlice(store.get()),
    saveText,
  };
};
