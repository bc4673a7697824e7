/** The statechart of a machine, with the selected instance: its state, its last transition, and its past states. */

import type { MachineId } from "../../journal/fact.ts";
import type { Actions } from "./actions.ts";
import { h, type Element } from "./element.ts";
import { chartOf, type Chart, type ChartState, type ChartTransition } from "./chart-layout.ts";
import { badge, button, empty, heading, seqLink, timeText } from "./pieces.ts";
import { momentOf, positionOf, type State } from "./state.ts";

const MACHINES: readonly MachineId[] = ["operator", "gateway", "listener", "route", "endpoint", "user"];

const charts = new Map<MachineId, Chart>();

interface Marks {
  readonly state: string | undefined;
  /** The transition that it took last. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly event: string | undefined;
  /** Instances in each state. */
  readonly counts: ReadonlyMap<string, number>;
}

const drawState = ({ state, counts }: Marks, one: ChartState): Element =>
  h(
    "g",
    { key: one.name, class: `state state-${one.name}${one.name === state ? " current" : ""}` },
    h("rect", {
      x: one.x - one.width / 2,
      y: one.y - one.height / 2,
      width: one.width,
      height: one.height,
      rx: one.isFinal ? 20 : 6,
    }),
    one.isInitial &&
      h("circle", { class: "initial", cx: one.x - one.width / 2 - 10, cy: one.y - one.height / 2 - 6, r: 5 }),
    h("text", { x: one.x, y: one.y + 1, "text-anchor": "middle" }, one.name),
    (counts.get(one.name) ?? 0) > 0 &&
      h(
        "text",
        { class: "count", x: one.x, y: one.y + 14, "text-anchor": "middle" },
        `${(counts.get(one.name) ?? 0).toLocaleString("en")} now`,
      ),
  );

const drawTransition = (marks: Marks, one: ChartTransition): Element => {
  const taken = one.from === marks.from && one.to === marks.to;
  const top = one.y - ((one.events.length - 1) * 15) / 2 + 4;
  return h(
    "g",
    { key: `${one.from} ${one.to}`, class: `transition${taken ? " taken" : ""}` },
    h("path", { d: one.d, "marker-end": taken ? "url(#arrow-taken)" : "url(#arrow)" }),
    one.events.map((event, row) =>
      h(
        "text",
        {
          key: event,
          x: one.x,
          y: top + row * 15,
          "text-anchor": "middle",
          class: taken && event === marks.event ? "event taken" : "event",
        },
        event,
      ),
    ),
  );
};

const arrow = (id: string): Element =>
  h(
    "marker",
    { id, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 8, markerHeight: 8, orient: "auto-start-reverse" },
    h("path", { d: "M0,0 L10,5 L0,10 z" }),
  );

const drawChart = (chart: Chart, machine: MachineId, marks: Marks): Element =>
  h(
    "svg",
    {
      id: "chart",
      xmlns: "http://www.w3.org/2000/svg",
      width: chart.width,
      height: chart.height,
      viewBox: `0 0 ${chart.width} ${chart.height}`,
      role: "img",
      "aria-label": `Statechart of ${machine}${marks.state === undefined ? "" : `, in state ${marks.state}`}`,
    },
    h("defs", null, arrow("arrow"), arrow("arrow-taken")),
    chart.transitions.map((one) => drawTransition(marks, one)),
    chart.states.map((one) => drawState(marks, one)),
  );

const MAX_LISTED = 200;

const instanceList = (state: State, actions: Actions, entities: readonly (readonly [string, string])[]): Element =>
  h(
    "ul",
    { class: "instances", "aria-label": `Instances of ${state.machine}` },
    entities.slice(0, MAX_LISTED).map(([entity, now]) =>
      h(
        "li",
        { key: entity },
        button(entity, () => actions.select({ what: "instance", machine: state.machine, entity }), {
          pressed: state.selection?.what === "instance" && state.selection.entity === entity,
        }),
        badge(now),
      ),
    ),
    entities.length > MAX_LISTED &&
      h("li", null, `… and ${entities.length - MAX_LISTED} more: find them by the filter below`),
  );

/** Every transition of an instance up to the moment shown, the latest first. */
export const moveList = (state: State, actions: Actions, machine: MachineId, entity: string): Element => {
  const position = positionOf(state);
  const moves = state.history
    .movesOf(machine, entity)
    .flatMap((at) => {
      const line = at <= position ? state.history.line(at) : undefined;
      return line?.type === "transition" ? [line] : [];
    })
    .toReversed();
  if (moves.length === 0) return h("p", { class: "note" }, "It has not moved in this log.");
  return h(
    "ol",
    { class: "moves", "aria-label": `History of ${entity}` },
    moves
      .slice(0, MAX_LISTED)
      .map((line) =>
        h(
          "li",
          { key: line.seq },
          seqLink(line.seq, actions.goToSeq),
          h("time", null, timeText(line.time)),
          ` ${line.data.from === "" ? "" : `${line.data.from} `}→ `,
          badge(line.data.to),
          ` ${line.data.event}${line.data.why === undefined ? "" : `: ${line.data.why}`}`,
        ),
      ),
  );
};

export const MachinesView = ({ state, actions }: { readonly state: State; readonly actions: Actions }): Element => {
  const { machine, definitions, selection } = state;
  const definition = definitions?.[machine];
  if (definition === undefined)
    return empty("The machines are not known yet", "They come from the program that serves this page.");
  const moment = momentOf(state);
  let chart = charts.get(machine);
  if (chart === undefined) charts.set(machine, (chart = chartOf(definition)));
  const entities = moment?.entities(machine) ?? [];
  const counts = new Map<string, number>();
  for (const [, now] of entities) counts.set(now, (counts.get(now) ?? 0) + 1);
  const entity = selection?.what === "instance" && selection.machine === machine ? selection.entity : undefined;
  const move = entity === undefined ? undefined : moment?.move(machine, entity);
  const marks: Marks = {
    counts,
    state: entity === undefined ? undefined : (moment?.state(machine, entity) ?? move?.data.to),
    from: move?.data.from,
    to: move?.data.to,
    event: move?.data.event,
  };
  return h(
    "div",
    { class: "machines" },
    h(
      "div",
      { class: "toolbar", role: "group", "aria-label": "Machine" },
      MACHINES.map((one) => button(one, () => actions.showMachine(one), { pressed: one === machine })),
      button(
        "Export for Stately",
        () => actions.saveText(`${machine}.machine.json`, "application/json", JSON.stringify(definition, undefined, 2)),
        { title: "The machine as JSON, which Stately's editor opens" },
      ),
    ),
    h(
      "div",
      { class: "columns" },
      h("div", { class: "chart" }, drawChart(chart, machine, marks)),
      h(
        "div",
        { class: "side" },
        entity !== undefined && [heading(entity), moveList(state, actions, machine, entity)],
        heading(`${entities.length.toLocaleString("en")} at this moment`),
        entities.length === 0
          ? empty(`No ${machine} at this moment`, "Move on in the timeline.")
          : instanceList(state, actions, entities),
      ),
    ),
  );
};
