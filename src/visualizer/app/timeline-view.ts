/** The timeline: the position in the log, and all ways to another position. */
import { useEffect, useRef } from "preact/hooks";
import type { History } from "../../history/history.ts";
import { isDerivation, type JournalLine } from "../../journal/fact.ts";
import type { Actions } from "./actions.ts";
import { h, type Element } from "./element.ts";
import { button, timeText } from "./pieces.ts";
import { positionOf, type State } from "./state.ts";

const BUCKETS = 400;

interface Density {
  readonly facts: Uint32Array;
  readonly derived: Uint32Array;
  readonly bad: Uint32Array;
}

const BAD: ReadonlySet<JournalLine["type"]> = new Set([
  "peer.refused",
  "effect.failed",
  "listener.failed",
  "object.rejected",
  "watch.lost",
  "worker.lost",
  "lease.lost",
]);

let counted: { readonly history: History; readonly length: number; readonly density: Density } | undefined;

/** Lines of the log in `BUCKETS` equal parts, by type. Counted again when the log has grown by a fraction. */
const densityOf = (history: History, length: number): Density => {
  if (counted?.history === history && length - counted.length < Math.max(1, length / BUCKETS)) return counted.density;
  const density = {
    facts: new Uint32Array(BUCKETS),
    derived: new Uint32Array(BUCKETS),
    bad: new Uint32Array(BUCKETS),
  };
  for (let at = 0; at < length; at += 1) {
    const line = history.line(at);
    if (line === undefined) continue;
    const bucket = Math.min(BUCKETS - 1, Math.floor((at / length) * BUCKETS));
    const counts = BAD.has(line.type) ? density.bad : isDerivation(line) ? density.derived : density.facts;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  counted = { history, length, density };
  return density;
};

const drawDensity = (canvas: HTMLCanvasElement, { facts, derived, bad }: Density): void => {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const style = getComputedStyle(canvas);
  const colour = (name: string): string => style.getPropertyValue(name);
  const most = Math.max(1, ...facts.map((count, at) => count + (derived[at] ?? 0) + (bad[at] ?? 0)));
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  const step = width / BUCKETS;
  for (let at = 0; at < BUCKETS; at += 1) {
    let bottom = height;
    const bar = (count: number, fill: string): void => {
      const size = (count / most) * height;
      context.fillStyle = fill;
      context.fillRect(at * step, bottom - size, Math.max(1, step - 0.5), size);
      bottom -= size;
    };
    bar(facts[at] ?? 0, colour("--fact"));
    bar(derived[at] ?? 0, colour("--derived"));
    const wrong = bad[at] ?? 0;
    // A single rejection among thousands must be visible, too.
    if (wrong > 0) bar(Math.max(wrong, most * 0.12), colour("--bad"));
  }
};

const DensityView = ({ density, theme }: { readonly density: Density; readonly theme: string }): Element => {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current !== null) drawDensity(canvas.current, density);
  }, [density, theme]);
  return h("canvas", { ref: canvas, width: BUCKETS * 2, height: 48, "aria-hidden": true });
};

const SPEEDS = [1, 10, 100, 1000, 10_000] as const;

const mark = (name: string, position: number, length: number): Element =>
  h("span", { class: `mark ${name}`, style: { left: `${(position / Math.max(1, length - 1)) * 100}%` } });

/** A number is an event; anything else a time. */
const jump = (state: State, actions: Actions, text: string): boolean => {
  const trimmed = text.trim().replace(/^#/, "");
  if (/^\d+$/.test(trimmed)) {
    actions.goToSeq(Number(trimmed));
    return true;
  }
  const day = new Date(state.history.line(positionOf(state))?.time ?? 0).toISOString().slice(0, 10);
  const time = Date.parse(/^\d{1,2}:\d{2}/.test(trimmed) ? `${day}T${trimmed.padStart(5, "0")}Z` : trimmed);
  if (Number.isNaN(time)) return false;
  actions.goTo(Math.max(0, state.history.positionAt(time)));
  return true;
};

export const TimelineView = ({ state, actions }: { readonly state: State; readonly actions: Actions }): Element => {
  const { history, length, playing, speed, compareWith } = state;
  const position = positionOf(state);
  const line = history.line(position);
  const isLive = state.source.from === "live";
  return h(
    "div",
    { class: "timeline" },
    h(
      "div",
      { class: "toolbar", role: "group", "aria-label": "Move in time" },
      button("|◀", () => actions.goTo(0), { name: "First event", title: "First event" }),
      button("◀", () => actions.step(-1), { name: "One event back", title: "One event back (,)" }),
      button(playing ? "❚❚" : "▶", () => actions.play(!playing), {
        name: playing ? "Pause" : "Play",
        title: "Play or pause (p)",
      }),
      button("▶|", () => actions.step(1), { name: "One event on", title: "One event on (.)" }),
      button(isLive ? "Now" : "End", () => actions.goTo(undefined), {
        name: isLive ? "Now" : "Last event",
        title: isLive ? "Show what is the case now" : "Last event",
        pressed: state.position === undefined,
      }),
      h(
        "label",
        null,
        "Speed ",
        h(
          "select",
          {
            value: speed,
            onChange: (event: Event) => actions.setSpeed(Number((event.target as HTMLSelectElement).value)),
          },
          SPEEDS.map((one) => h("option", { key: one, value: one }, `${one.toLocaleString("en")} events/s`)),
        ),
      ),
      h(
        "form",
        {
          onSubmit: (event: SubmitEvent) => {
            event.preventDefault();
            const input = (event.target as HTMLFormElement).elements.namedItem("jump") as HTMLInputElement;
            const done = jump(state, actions, input.value);
            input.setCustomValidity(done ? "" : "An event (4711) or a time (03:12, 2026-11-22T03:12:00Z)");
            if (done) input.value = "";
            else input.reportValidity();
          },
        },
        h("input", {
          name: "jump",
          size: 12,
          placeholder: "4711 or 03:12",
          "aria-label": "Jump to an event or a time",
          onInput: (event: Event) => (event.target as HTMLInputElement).setCustomValidity(""),
        }),
        h("button", { type: "submit" }, "Jump"),
      ),
      button("Compare from here", () => actions.compareWith(position), {
        title: "Remember this moment, then move to another",
      }),
      compareWith !== undefined &&
        button(`Stop comparing with #${history.line(compareWith)?.seq}`, () => actions.compareWith(undefined)),
      h(
        "output",
        { class: "moment", "aria-live": "off" },
        line === undefined ? "no events" : `#${line.seq} · ${timeText(line.time)} UTC`,
      ),
    ),
    h(
      "div",
      { class: "scrubber" },
      h(DensityView, { density: densityOf(history, length), theme: state.theme }),
      compareWith !== undefined && mark("compare", compareWith, length),
      mark("current", position, length),
      h("input", {
        type: "range",
        min: 0,
        max: Math.max(0, length - 1),
        value: position,
        "aria-label": "Moment",
        "aria-valuetext": line === undefined ? "no events" : `event ${line.seq} at ${timeText(line.time)}`,
        onInput: (event: Event) => {
          const at = Number((event.target as HTMLInputElement).value);
          actions.goTo(isLive && at >= length - 1 ? undefined : at);
        },
      }),
    ),
  );
};
