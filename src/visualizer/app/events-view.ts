/** The lines that pass the filter; only visible ones are drawn. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { History } from "../../history/history.ts";
import { isDerivation } from "../../journal/fact.ts";
import { sentence } from "../../journal/sentence.ts";
import { lastAtMost } from "../../history/track.ts";
import type { Actions } from "./actions.ts";
import { h, type Element } from "./element.ts";
import { isEverything, kindsIn, matches, type Filter } from "./filter.ts";
import { button, empty, timeText } from "./pieces.ts";
import { positionOf, type State } from "./state.ts";

const ROW = 22;
const HEIGHT = 165;

interface Matching {
  readonly history: History;
  readonly filter: Filter;
  length: number;
  readonly positions: number[];
}

let matching: Matching | undefined;

/** Matching positions; each line is tested only once. Undefined: all lines match. */
const matchingOf = ({ history, filter, length }: State): readonly number[] | undefined => {
  if (isEverything(filter)) return undefined;
  if (matching?.history !== history || matching.filter !== filter)
    matching = { history, filter, length: 0, positions: [] };
  const lowered = { ...filter, text: filter.text.toLowerCase() };
  for (let at = matching.length; at < length; at += 1) {
    const line = history.line(at);
    if (line !== undefined && matches(line, lowered)) matching.positions.push(at);
  }
  matching.length = length;
  return matching.positions;
};

let known:
  | {
      readonly history: History;
      readonly length: number;
      readonly types: readonly string[];
      readonly kinds: readonly string[];
    }
  | undefined;

/** Types and kinds that occur; updated when the log has grown by a tenth. */
const choicesOf = ({ history, length }: State) => {
  if (known?.history !== history || length > known.length * 1.1 + 20) {
    const lines = Array.from({ length }, (_, at) => history.line(at)).filter((line) => line !== undefined);
    const types = [...new Set(lines.map(({ type }) => type))].toSorted();
    known = { history, length, types, kinds: kindsIn(lines) };
  }
  return known;
};

const input = (label: string, value: string, onInput: (text: string) => void, list?: string): Element =>
  h(
    "label",
    null,
    `${label} `,
    h("input", {
      type: "search",
      value,
      size: 14,
      ...(list !== undefined && { list }),
      onInput: (event: Event) => onInput((event.target as HTMLInputElement).value),
    }),
  );

const FilterBar = ({
  state,
  actions,
  shown,
}: {
  readonly state: State;
  readonly actions: Actions;
  readonly shown: number;
}): Element => {
  const { filter, length } = state;
  const { types, kinds } = choicesOf(state);
  return h(
    "div",
    { class: "toolbar", role: "search", "aria-label": "Filter events" },
    input("Type", filter.type, (type) => actions.setFilter({ type }), "types"),
    h(
      "datalist",
      { id: "types" },
      types.map((type) => h("option", { key: type, value: type })),
    ),
    h(
      "label",
      null,
      "Kind ",
      h(
        "select",
        {
          value: filter.kind,
          onChange: (event: Event) => actions.setFilter({ kind: (event.target as HTMLSelectElement).value }),
        },
        h("option", { value: "" }, "all"),
        kinds.map((kind) => h("option", { key: kind, value: kind }, kind)),
      ),
    ),
    input("Object", filter.object, (object) => actions.setFilter({ object })),
    input("Text", filter.text, (text) => actions.setFilter({ text })),
    !isEverything(filter) && button("Show all", () => actions.setFilter({ type: "", kind: "", object: "", text: "" })),
    h("output", { class: "count" }, `${shown.toLocaleString("en")} of ${length.toLocaleString("en")} events`),
  );
};

export const EventsView = ({ state, actions }: { readonly state: State; readonly actions: Actions }): Element => {
  const { history, length } = state;
  const positions = matchingOf(state);
  const count = positions?.length ?? length;
  const current = positionOf(state);
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const row = positions === undefined ? current : lastAtMost(positions, current);

  // Keeps the shown line visible.
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const at = row * ROW;
    if (at < element.scrollTop || at > element.scrollTop + HEIGHT - ROW)
      element.scrollTop = Math.max(0, at - HEIGHT / 2);
  }, [row, count]);

  const first = Math.max(0, Math.floor(top / ROW) - 3);
  const rows = Array.from({ length: Math.max(0, Math.min(count - first, Math.ceil(HEIGHT / ROW) + 6)) }, (_, index) => {
    const place = first + index;
    const at = positions === undefined ? place : (positions[place] ?? 0);
    const line = history.line(at);
    if (line === undefined) return undefined;
    const choose = (): void => {
      actions.goTo(at);
      actions.select({ what: "line", seq: line.seq });
    };
    return h(
      "div",
      {
        key: line.seq,
        class: `event ${isDerivation(line) ? "derived" : "fact"} type-${line.type.replace(/\W/g, "-")}${at === current ? " current" : ""}`,
        style: { top: `${place * ROW}px` },
        role: "option",
        "aria-selected": at === current,
        "data-seq": line.seq,
        onClick: choose,
      },
      h("span", { class: "seq" }, `#${line.seq}`),
      h("time", null, timeText(line.time).slice(11)),
      h("span", { class: "type" }, line.type),
      h("span", { class: "says" }, sentence(line)),
    );
  });

  return h(
    "section",
    { class: "events", "aria-label": "Events" },
    h(FilterBar, { state, actions, shown: count }),
    h(
      "div",
      {
        class: "rows",
        ref: box,
        role: "listbox",
        tabIndex: 0,
        "aria-label": "Events; up and down go from one to the next",
        onScroll: (event: Event) => setTop((event.target as HTMLDivElement).scrollTop),
        onKeyDown: (event: KeyboardEvent) => {
          if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
          event.preventDefault();
          actions.step(event.key === "ArrowDown" ? 1 : -1);
        },
      },
      count === 0
        ? empty(
            "No event matches",
            "Change the filter, or ",
            button("show all", () => actions.setFilter({ type: "", kind: "", object: "", text: "" })),
          )
        : h("div", { class: "sizer", style: { height: `${count * ROW}px` } }, rows),
    ),
  );
};
