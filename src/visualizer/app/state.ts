/** Everything that the page shows, in one value; derived values are computed when it is drawn. */
import { createHistory, type History } from "../../history/history.ts";
import type { Moment } from "../../history/moment.ts";
import type { MachineId } from "../../journal/fact.ts";
import type { Traffic } from "../traffic.ts";
import type { Definition } from "../definitions.ts";
import type { Name } from "../../resources/keys.ts";
import { EVERYTHING, type Filter } from "./filter.ts";

export const views = ["topology", "machines", "allocations", "compare"] as const;
export type View = (typeof views)[number];

export type Selection =
  | { readonly what: "line"; readonly seq: number }
  | { readonly what: "instance"; readonly machine: MachineId; readonly entity: string }
  | { readonly what: "backend"; readonly id: string };

export interface Question {
  readonly peer: string;
  readonly gateway: Name | undefined;
  /** The position for the answer; undefined: the moment that is shown. */
  readonly position: number | undefined;
}

export type Source =
  | { readonly from: "live"; readonly status: "loading" | "following" | "lost"; readonly share: number }
  /** `path`: of the admin API. */
  | {
      readonly from: "file" | "path";
      readonly name: string;
      readonly status: "loading" | "loaded";
      readonly share: number;
    };

export interface Trouble {
  readonly message: string;
  readonly todo: string;
  readonly asksToken: boolean;
}

/** Packets a second of the last samples of an allocation, oldest first. */
export type Rates = ReadonlyMap<string, readonly number[]>;

export interface State {
  readonly source: Source;
  readonly trouble: Trouble | undefined;
  readonly history: History;
  /** Number of lines in `history` when this state was made: it grows in place. */
  readonly length: number;
  /** The shown line; undefined: always the latest. */
  readonly position: number | undefined;
  /** The other moment of a comparison. */
  readonly compareWith: number | undefined;
  readonly view: View;
  readonly machine: MachineId;
  readonly selection: Selection | undefined;
  readonly question: Question | undefined;
  readonly filter: Filter;
  readonly open: ReadonlySet<string>;
  readonly playing: boolean;
  /** Lines a second. */
  readonly speed: number;
  readonly theme: "auto" | "light" | "dark";
  /** Two readings of the running relay; undefined for a log without a program. */
  readonly traffic: Traffic | undefined;
  readonly previousTraffic: Traffic | undefined;
  readonly rates: Rates;
  readonly match: string;
  readonly definitions: Readonly<Record<MachineId, Definition>> | undefined;
  /** Wall clock, in ms since 1970, as of the last tick. */
  readonly now: number;
}

export const initialState = (): State => ({
  source: { from: "live", status: "loading", share: 0 },
  trouble: undefined,
  history: createHistory(),
  length: 0,
  position: undefined,
  compareWith: undefined,
  view: "topology",
  machine: "endpoint",
  selection: undefined,
  question: undefined,
  filter: EVERYTHING,
  open: new Set(),
  playing: false,
  speed: 10,
  theme: "auto",
  traffic: undefined,
  previousTraffic: undefined,
  rates: new Map(),
  match: "",
  definitions: undefined,
  now: Date.now(),
});

export const positionOf = ({ position, length }: State): number =>
  Math.max(0, Math.min(position ?? length - 1, length - 1));

/** Whether the current state is shown: only then are counters of the running program shown. */
export const isNow = ({ source, position }: State): boolean => source.from === "live" && position === undefined;

let last: { readonly history: History; readonly position: number; readonly moment: Moment | undefined } | undefined;

/** The moment that is shown. */
export const momentOf = (state: State): Moment | undefined => {
  const position = positionOf(state);
  if (last?.history !== state.history || last.position !== position)
    last = { history: state.history, position, moment: state.history.moment(position) };
  return last.moment;
};

/** The time that counts as now: durations are relative to it. */
export const clockOf = (state: State): number =>
  isNow(state) ? state.now : (state.history.line(positionOf(state))?.time ?? state.now);

export interface Store {
  get(): State;
  /** Draws in the next frame. */
  set(change: Partial<State>): void;
}

export const createStore = (draw: (state: State) => void): Store => {
  let state = initialState();
  let isScheduled = false;
  return {
    get: () => state,
    set(change) {
      state = { ...state, ...change };
      if (isScheduled) return;
      isScheduled = true;
      requestAnimationFrame(() => {
        isScheduled = false;
        draw(state);
      });
    },
  };
};
