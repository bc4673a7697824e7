/** Small components that the views share. */
import type { ComponentChildren } from "preact";
import { h, type Element } from "./element.ts";

export const timeText = (time: number): string => new Date(time).toISOString().replace("T", " ").replace("Z", "");

export const durationText = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

export const bytesText = (bytes: number): string => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
};

export const button = (
  label: string,
  onClick: () => void,
  more: {
    readonly title?: string;
    readonly pressed?: boolean;
    readonly class?: string;
    readonly disabled?: boolean;
    readonly name?: string;
  } = {},
): Element =>
  h(
    "button",
    {
      type: "button",
      onClick,
      title: more.title ?? "",
      disabled: more.disabled === true,
      class: more.class ?? "",
      ...(more.name !== undefined && { "aria-label": more.name }),
      ...(more.pressed !== undefined && { "aria-pressed": more.pressed }),
    },
    label,
  );

/** A link to a line. */
export const seqLink = (seq: number, goTo: (seq: number) => void): Element =>
  button(`#${seq}`, () => goTo(seq), { class: "seq", title: `Go to event ${seq}` });

export const badge = (state: string): Element =>
  h("span", { class: `badge state-${state.replace(/\W/g, "-")}` }, state);

/** What to do if there is nothing to show. */
export const empty = (title: string, ...todo: ComponentChildren[]): Element =>
  h("div", { class: "empty", role: "status" }, h("strong", null, title), h("p", null, ...todo));

export const json = (value: unknown): Element =>
  h("pre", { class: "json", tabIndex: 0 }, JSON.stringify(value, undefined, 2));

export const heading = (text: string): Element => h("h2", { class: "sub" }, text);

/** On Enter and space, like a button. */
export const onActivate =
  (act: () => void) =>
  (event: KeyboardEvent): void => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    act();
  };
